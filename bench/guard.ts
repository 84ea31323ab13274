// Guards what a delivery, a POST and a held connection cost, by counts that do not depend on the machine:
// `bun bench/guard.ts` fails when one has grown by more than a tenth over guard/baseline.json, and prints old
// and new. `bun bench/guard.ts --update` makes what is counted now the baseline: in the commit whose message
// says why. CI runs it; it takes about a minute.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Count, groups } from "./guard/counts.ts";
import { whyNot } from "./guard/system-calls.ts";

const BASELINE = join(import.meta.dir, "guard/baseline.json");
const GROWTH = 1.1;
const DIGITS = 3;

type Baseline = Readonly<Record<string, number>>;

const rounded = (value: number): number => (value >= 100 ? Math.round(value) : Number(value.toFixed(DIGITS)));

const hasGrown = ({ value, slack }: Count, before: number | undefined): boolean =>
  before !== undefined && value > before * GROWTH && value > before + slack;

const hasShrunk = ({ value, slack }: Count, before: number | undefined): boolean =>
  before !== undefined && before > value * GROWTH && before > value + slack;

function line(count: Count, before: number | undefined): string {
  const verdict = hasGrown(count, before)
    ? "GREW"
    : before === undefined
      ? "new"
      : hasShrunk(count, before)
        ? "less"
        : "";
  const old = before === undefined ? "-" : String(before);
  const now = String(rounded(count.value));
  return `${count.name.padEnd(62)} ${old.padStart(9)} ${now.padStart(9)}  ${verdict}`.trimEnd();
}

/**
 * What seems to have grown is counted a second time: the machine can add to a count, and takes nothing away.
 */
async function least(count: () => Promise<Count[]>): Promise<Count[]> {
  const first = await count();
  if (!first.some((one) => hasGrown(one, baseline[one.name]))) return first;
  const second = await count();
  return first.map((one) => {
    const again = second.find(({ name }) => name === one.name);
    return again !== undefined && again.value < one.value ? again : one;
  });
}

const startMs = performance.now();
const reason = whyNot();
if (reason !== null)
  console.log(
    `system calls are not counted (${reason}); what is sent is, as TCP segments, where there is ss`,
  );
const baseline: Baseline = existsSync(BASELINE) ? await Bun.file(BASELINE).json() : {};
const counts: Count[] = [];
for (const count of groups({ traces: reason === null })) counts.push(...(await least(count)));
console.log(`${"count".padEnd(62)} ${"baseline".padStart(9)} ${"now".padStart(9)}`);
for (const count of counts) console.log(line(count, baseline[count.name]));
console.log(`${counts.length} counts in ${((performance.now() - startMs) / 1000).toFixed(0)} s`);

const shrunk = counts.filter((count) => hasShrunk(count, baseline[count.name]));
if (shrunk.length > 0)
  console.log(`${shrunk.length} counts are less than the baseline: bun bench/guard.ts --update keeps it so`);
const grown = counts.filter((count) => hasGrown(count, baseline[count.name]));
const isNew = counts.some(({ name }) => baseline[name] === undefined);
if (process.argv.includes("--update")) {
  // What could not be counted here keeps its place.
  const next = {
    ...baseline,
    ...Object.fromEntries(counts.map(({ name, value }) => [name, rounded(value)])),
  };
  await Bun.write(BASELINE, `${JSON.stringify(next, null, 2)}\n`);
  console.log("the baseline is what was counted now");
} else if (grown.length > 0 || isNew) {
  console.log(
    `\n${grown.length} counts have grown by more than a tenth${isNew ? ", or have no baseline" : ""}.`,
  );
  console.log("Meant so? bun bench/guard.ts --update, and the commit says why.");
  process.exit(1);
}
