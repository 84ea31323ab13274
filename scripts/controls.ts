/**
 * `bun run verify:controls [-- NAME]`: takes one safety step after the other out of a copy of the source,
 * builds it, and lets `sluice verify` loose on it. Each has to be found: the checker of histories is checked.
 * Some minutes; ends with 1 when one of them stayed unseen.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONTROLS, type Control } from "../test/verify/controls.ts";

const root = join(import.meta.dir, "..");
const wanted = process.argv[2];
/** A step that shows only now and then gets another chance, with other random numbers. */
const TRIES = 3;

const folder = mkdtempSync(join(tmpdir(), "sluice-controls-"));
for (const name of ["src", "scripts", "systemd", "package.json", "tsconfig.json", "bunfig.toml", "bun.lock"])
  if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));

let unseen = 0;
try {
  for (const control of CONTROLS) {
    if (wanted !== undefined && !control.name.includes(wanted)) continue;
    const found = tryOut(control);
    if (found === null) unseen++;
    process.stdout.write(
      `${found === null ? "NOT SEEN" : `seen as ${found}`.padEnd(8)}  without: ${control.name} (${control.fault})\n`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(unseen === 0 ? 0 : 1);

/** The promises that were found broken, or null. */
function tryOut({ name, edits, fault, isCluster, breaks }: Control): string | null {
  for (const [file, find, put] of edits) {
    const text = readFileSync(join(root, file), "utf8");
    if (!text.includes(find)) throw new Error(`${name}: ${file} has no ${JSON.stringify(find)}`);
    writeFileSync(
      join(folder, file),
      text.replace(find, () => put),
    );
  }
  try {
    run("the build", [process.execPath, "scripts/build.ts"], [0]);
    for (let seed = 1; seed <= TRIES; seed++) {
      const args = ["verify", "--json", "--minutes", "0.15", "--fault", fault, "--seed", `${seed}`];
      if (isCluster) args.push("--cluster");
      const out = run("verify", [join(folder, "dist/sluice"), ...args], [0, 1]);
      const { rows } = JSON.parse(out) as { rows: readonly { byClaim: Readonly<Record<string, number>> }[] };
      const broken = rows.flatMap(({ byClaim }) => Object.keys(byClaim));
      if (broken.some((claim) => breaks.includes(claim))) return [...new Set(broken)].join(", ");
    }
    return null;
  } finally {
    for (const [file] of edits) cpSync(join(root, file), join(folder, file));
  }
}

function run(what: string, command: readonly string[], codes: readonly number[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: folder, stdin: "ignore" });
  const out = stdout.toString();
  if (codes.includes(exitCode) && (exitCode === 0 || out !== "")) return out;
  throw new Error(`${what} ended with ${exitCode}: ${stderr.toString().slice(-2000)}`);
}
