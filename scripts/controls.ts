/**
 * `bun run verify:controls [-- --only NAME --shard 1/4]`: takes one safety step after the other out of a copy
 * of the source, builds it, and lets `sluice verify` loose on it. Each has to be found: the checker of
 * histories is checked. Half a minute each; ends with 1 when one of them stayed unseen.
 */
import { parseArgs } from "node:util";
import { CONTROLS, type Control } from "../test/verify/controls.ts";
import { expectFits, SourceCopy } from "./source-copy.ts";

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, shard: { type: "string", default: "1/1" } },
});
const [, turn = 0, turns = 0] = /^([0-9]+)\/([0-9]+)$/.exec(values.shard)?.map(Number) ?? [];
if (!(turn >= 1 && turn <= turns)) throw new Error("--shard wants a part of all, as 1/4");
/** A step that shows only now and then gets another chance, with other random numbers. */
const TRIES = 3;

expectFits(CONTROLS.flatMap(({ edits }) => edits));
const copy = new SourceCopy("controls");
let unseen = 0;
try {
  for (const [at, control] of CONTROLS.entries()) {
    if (!control.name.includes(values.only) || at % turns !== turn - 1) continue;
    const found = tryOut(control);
    if (found === null) unseen++;
    process.stdout.write(
      `${found === null ? "NOT SEEN" : `seen as ${found}`}  without: ${control.name} (${control.fault})\n`,
    );
  }
} finally {
  copy.dispose();
}
process.exit(unseen === 0 ? 0 : 1);

/** The promises that were found broken, and in which try; or null. */
function tryOut({ edits, fault, isCluster, breaks }: Control): string | null {
  return copy.with(edits, () => {
    expectCode("the build", copy.build(), [0]);
    for (let seed = 1; seed <= TRIES; seed++) {
      const args = ["verify", "--json", "--minutes", "0.15", "--fault", fault, "--seed", `${seed}`];
      if (isCluster) args.push("--cluster");
      const out = expectCode("verify", copy.run([copy.binary, ...args]), [0, 1]);
      const { rows } = JSON.parse(out) as { rows: readonly { byClaim: Readonly<Record<string, number>> }[] };
      const broken = new Set(rows.flatMap(({ byClaim }) => Object.keys(byClaim)));
      if (breaks.some((claim) => broken.has(claim)))
        return `${[...broken].join(", ")}${seed === 1 ? "" : ` at the try ${seed}`}`;
    }
    return null;
  });
}

function expectCode(
  what: string,
  { exitCode, stdout, stderr }: Bun.SyncSubprocess<"pipe", "pipe">,
  codes: readonly number[],
): string {
  const out = stdout.toString();
  if (codes.includes(exitCode) && (exitCode === 0 || out !== "")) return out;
  throw new Error(`${what} ended with ${exitCode}: ${stderr.toString().slice(-2000)}`);
}
