/**
 * Everything CI runs, in one command: build, types, lint and format, then the suites. `bun run test` calls it
 * after an install.
 *
 *   bun test/run.ts                       all of it
 *   bun test/run.ts --quick               types, lint and the unit suites, which need no build: for while one
 *                                         works
 *   bun test/run.ts wire binary/limits    the suites and files named
 *
 * Most files wait for servers more than they compute, so some run side by side (SLUICE_TEST_LANES, two more
 * than there are cores unless it is set); those that want a core for themselves follow two by two, and those
 * that measure or exhaust the machine come last, one at a time. Each one's line is printed when it ends, with
 * its output if it failed. At the end: what was slowest, and `N passed, N failed, N skipped`.
 *
 * A file with a failure is run once more, by itself, when all others are through. Passes it then, the failure
 * is shown and named at the end all the same, as one that comes and goes (many tests kill, stop and starve
 * processes of a busy machine), and the run goes on: somebody has to look at it.
 */
import { availableParallelism } from "node:os";
import {
  count,
  failedFiles,
  failures,
  interesting,
  type Outcome,
  outcomeOf,
  remarks,
  type Timed,
  testTimes,
} from "./outcome.ts";
import { byLength, type Job, jobsOf, SUITES } from "./suites.ts";

/** More files than these are not bad luck. */
const MOST_AGAIN = 6;
const SLOWEST = 12;
const bun = process.execPath;
const lanes = Number(process.env["SLUICE_TEST_LANES"] ?? availableParallelism() + 2);

interface Step {
  readonly title: string;
  readonly command: readonly string[];
  readonly isSuite: boolean;
}

const tally = { passed: 0, failed: 0, skipped: 0, cpuSeconds: 0 };
const failedSteps: string[] = [];
const comingAndGoing: string[] = [];
const again: { readonly step: Step; readonly files: readonly string[]; readonly output: string }[] = [];
const fileTimes: Timed[] = [];
const singleTimes: Timed[] = [];
const running = new Set<string>();

async function run(step: Step, laneNumber = 0): Promise<void> {
  running.add(step.title);
  showProgress();
  const outcome = await outcomeOf(step.command, laneNumber);
  running.delete(step.title);
  judge(step, outcome);
  showProgress();
}

function judge(step: Step, { output, code, seconds, cpuSeconds }: Outcome): void {
  const { title, isSuite } = step;
  const failed = isSuite ? Math.max(count(output, "fail"), code === 0 ? 0 : 1) : Number(code !== 0);
  fileTimes.push({ title, seconds });
  singleTimes.push(...testTimes(title, output));
  tally.cpuSeconds += cpuSeconds;
  tally.passed += isSuite ? count(output, "pass") : Number(code === 0);
  tally.skipped += isSuite ? count(output, "skip") : 0;
  const counts = isSuite
    ? `${count(output, "pass")} passed, ${failed} failed, ${count(output, "skip")} skipped`
    : "";
  const times = `${seconds.toFixed(1).padStart(6)} s ${cpuSeconds.toFixed(1).padStart(6)} s cpu`;
  say(`${failed === 0 ? "ok  " : "FAIL"} ${title.padEnd(32)} ${times}  ${counts}`);
  const files = failedFiles(output);
  if (failed === 0) for (const line of remarks(output)) say(`       ${line.trim()}`);
  else say(isSuite ? interesting(output) : output);
  if (failed === 0) return;
  if (isSuite && files.length > 0) again.push({ step, files, output });
  else fail(title, failed);
}

function fail(title: string, failed: number): void {
  tally.failed += failed;
  failedSteps.push(title);
}

/** The second try. */
async function runAgain(): Promise<void> {
  const isBadLuck = again.reduce((sum, { files }) => sum + files.length, 0) <= MOST_AGAIN;
  for (const { step, files, output } of again) {
    let passes = isBadLuck;
    for (const file of files) {
      if (!passes) break;
      running.add(`${file} again`);
      showProgress();
      const second = await outcomeOf(suiteCommand(`./${file}`));
      running.delete(`${file} again`);
      passes = second.code === 0;
      say(`${passes ? "ok  " : "FAIL"} ${file}, once more by itself`);
      if (!passes) say(interesting(second.output));
    }
    if (passes) comingAndGoing.push(...failures(output));
    else fail(step.title, Math.max(1, count(output, "fail")));
  }
}

/** Side by side, in this order. */
async function runInLanes(steps: readonly Step[], width: number, firstLane = 0): Promise<void> {
  const waiting = [...steps];
  const lane = async (number: number): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) await run(step, number);
  };
  await Promise.all(Array.from({ length: width }, (_, number) => lane(firstLane + number)));
}

/** Each folder in a lane of its own. */
async function runInPairs(jobs: readonly Job[]): Promise<void> {
  const folders = Object.values(Object.groupBy(jobs, ({ title }) => title.split("/")[0] ?? ""));
  await Promise.all(folders.map((of, lane) => runInLanes((of ?? []).map(suiteStep), 1, lane)));
}

const suiteCommand = (target: string): string[] => [bun, "test", "--timeout", "30000", target];

const suiteStep = ({ title, target }: Job): Step => ({ title, command: suiteCommand(target), isSuite: true });

const BUILD: Step = { title: "build", command: [bun, "run", "build"], isSuite: false };
const CHECKS: readonly Step[] = [
  { title: "types", command: [bun, "x", "tsc", "--noEmit"], isSuite: false },
  {
    title: "lint, format",
    command: [bun, "x", "biome", "check", "--error-on-warnings", "."],
    isSuite: false,
  },
];

function say(line: string): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(line);
}

function showProgress(): void {
  if (!process.stdout.isTTY || running.size === 0) return;
  const width = (process.stdout.columns || 80) - 1;
  process.stdout.write(`\r\x1b[K${`… ${[...running].join(", ")}`.slice(0, width)}`);
}

function showSlowest(what: string, times: readonly Timed[]): void {
  console.log(`\nslowest ${what}:`);
  const slowest = [...times].sort((left, right) => right.seconds - left.seconds).slice(0, SLOWEST);
  for (const { title, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${title}`);
}

function finish(): number {
  if (fileTimes.length > SLOWEST) {
    showSlowest("files", fileTimes);
    showSlowest("tests", singleTimes);
    console.log("");
  }
  for (const each of comingAndGoing) console.log(`came and went: ${each.slice("(fail) ".length)}`);
  if (failedSteps.length > 0) console.log(`\nfailed: ${failedSteps.join(", ")}`);
  const seconds = (performance.now() / 1000).toFixed(0);
  console.log(`${seconds} s in ${lanes} lanes, ${tally.cpuSeconds.toFixed(0)} s of CPU time`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed > 0 ? 1 : 0;
}

async function main(asked: readonly string[]): Promise<number> {
  const isQuick = asked.includes("--quick");
  const named = asked.filter((name) => name !== "--quick");
  const all = Object.entries(SUITES).filter(([, kind]) => !isQuick || kind === "unit");
  const names = named.length > 0 ? named : all.map(([name]) => name);
  const unknown = names.filter((name) => jobsOf(name).length === 0);
  if (unknown.length > 0) {
    console.error(`there are no tests called ${unknown.join(", ")}`);
    return 2;
  }
  if (named.length === 0 && !isQuick) {
    await run(BUILD);
    if (tally.failed > 0) return finish();
  }
  const jobs = byLength(names.flatMap(jobsOf));
  const of = (...kinds: readonly Job["kind"][]): Job[] => jobs.filter(({ kind }) => kinds.includes(kind));
  const checks = named.length === 0 ? CHECKS : [];
  await runInLanes([...checks, ...of("unit", "files").map(suiteStep)], lanes);
  await runInPairs(of("pairs"));
  await runInLanes(of("alone").map(suiteStep), 1);
  await runAgain();
  return finish();
}

process.exit(await main(process.argv.slice(2)));
