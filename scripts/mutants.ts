/**
 * `bun run mutants [-- --only FOLDER --shard 1/4 --minutes 5 --fresh]`: the mistakes of test/mutants.ts, one
 * by one, in a copy of the tree: the tests of the part have to turn red. First they have to be green without
 * a mistake, or what they say of one says nothing. Prints those that survive, and the share that was seen.
 *
 * All of them take most of an hour, so verdicts are kept (.cache/mutants.json) for as long as neither the
 * source nor the tests of the part have changed: a run that ends early, or was told to (`--minutes`: none is
 * begun behind that), is gone on with by the next one. Ends with 1 while one survives or is not tried yet.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { EQUIVALENT, MUTANTS, type Mutant } from "../test/mutants.ts";
import { Ledger, type Verdict } from "./mutants/ledger.ts";
import { partOf, SUITES, type Suites } from "./mutants/suites.ts";
import { expectFits, ROOT, SourceCopy } from "./source-copy.ts";

/** A mistake that makes something wait for ever is seen, too: after so many times what is usual. */
const PATIENCE = 3;
const LEAST_MS = 60_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    shard: { type: "string", default: "1/1" },
    minutes: { type: "string", default: "1e9" },
    fresh: { type: "boolean", default: false },
  },
});
const [, turn = 0, turns = 0] = /^([0-9]+)\/([0-9]+)$/.exec(values.shard)?.map(Number) ?? [];
if (!(turn >= 1 && turn <= turns)) throw new Error("--shard wants a part of all, as 1/4");
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes wants a number above 0");
const endAt = performance.now() + minutes * 60_000;

expectFits(MUTANTS);
const wrong = Object.keys(EQUIVALENT).filter((put) => !MUTANTS.some((mutant) => mutant[2] === put));
if (wrong.length > 0) throw new Error(`no mutant puts ${wrong.join("\n")}`);

const ledger = new Ledger(join(ROOT, ".cache/mutants.json"), values.fresh);
const all = MUTANTS.filter(([, , put]) => !(put in EQUIVALENT));
const mine = all.filter(([file], at) => file.includes(values.only) && at % turns === turn - 1);
const copy = new SourceCopy("mutants");
try {
  for (const mutant of mine) {
    if (ledger.verdict(mutant) !== null) continue;
    if (performance.now() > endAt) break;
    const verdict = verdictOn(mutant);
    ledger.write(mutant, verdict);
    process.stdout.write(`${verdict.padEnd(9)} ${text(mutant)}\n`);
  }
} finally {
  copy.dispose();
}

const told = (verdict: Verdict | null): readonly Mutant[] =>
  mine.filter((mutant) => ledger.verdict(mutant) === verdict);
const [survivors, hung, untried] = [told("SURVIVES"), told("hangs"), told(null)];
for (const mutant of survivors) process.stdout.write(`SURVIVES  ${text(mutant)}\n`);
process.stdout.write(
  `${told("seen").length + hung.length} of ${mine.length} seen (${hung.length} of them stood still), ` +
    `${survivors.length} survive, ${untried.length} are not tried yet; ` +
    `${Object.keys(EQUIVALENT).length} more change nothing\n`,
);
process.exit(survivors.length + untried.length === 0 ? 0 : 1);

function text([file, find, put]: Mutant): string {
  return `${file}: ${find}  →  ${put}`;
}

function verdictOn(mutant: Mutant): Verdict {
  const part = partOf(mutant[0]);
  const suites = SUITES[part];
  if (suites === undefined) throw new Error(`no tests are named for ${mutant[0]}`);
  const usual = ledger.usualMs(part) ?? timeWithout(part, suites);
  return copy.with([mutant], () => {
    const { isGreen, isLate } = outcomeOf(suites, Math.round(usual * PATIENCE) + LEAST_MS);
    if (isGreen) return "SURVIVES";
    return isLate ? "hangs" : "seen";
  });
}

function timeWithout(part: string, suites: Suites): number {
  const sinceMs = performance.now();
  // A machine that does much else may fail a test for time alone: it is asked once more.
  if (!outcomeOf(suites).isGreen && !outcomeOf(suites).isGreen)
    throw new Error(`the tests of ${part} are red without any mistake`);
  const tookMs = performance.now() - sinceMs;
  ledger.writeUsualMs(part, tookMs);
  process.stdout.write(`green     ${suites.tests.join(" ")} without a mistake: ${Math.round(tookMs)} ms\n`);
  return tookMs;
}

function outcomeOf({ builds, tests }: Suites, longestMs?: number): { isGreen: boolean; isLate: boolean } {
  if (builds && !copy.build().success) return { isGreen: false, isLate: false };
  const command = [process.execPath, "test", "--bail", "--timeout", "30000", ...tests];
  const { success, exitedDueToTimeout = false } = copy.run(command, longestMs);
  return { isGreen: success, isLate: exitedDueToTimeout };
}
