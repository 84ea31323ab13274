/**
 * A whole verification: phase after phase, each a fault on its load, until the time is up; and what came of
 * it. Called by cli/verify.ts.
 */
import type { Claim, Violation } from "./checker.ts";
import { type Counts, noCounts } from "./counts.ts";
import type { Load } from "./crew.ts";
import { type Fault, faultsOf } from "./faults.ts";
import { type PhaseResult, runPhase } from "./phase.ts";
import { Random } from "./random.ts";
import { serverAt } from "./server.ts";
import { Stage } from "./stage.ts";

export interface VerifySetting {
  /** A server that runs already, and fields for every request; null: one of our own, with faults. */
  readonly url: string | null;
  readonly fields: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly seed: number;
  readonly rate: number;
  /** Names of faults; empty: all that can be had here. */
  readonly faults: readonly string[];
  readonly program: readonly string[];
  readonly other: readonly string[];
  readonly workers: number;
  readonly listener: "native" | "wire";
  /** Its numbers jump at a failover; without a url, nodes and an engine of our own. */
  readonly isCluster: boolean;
  readonly progress: (line: string) => void;
}

/** What one fault came to, over all of its phases. */
export interface FaultRow {
  readonly name: string;
  readonly what: string;
  phases: number;
  strikes: number;
  seconds: number;
  readonly counts: Counts;
  violations: number;
  readonly byClaim: Map<Claim, number>;
  /** Milliseconds. */
  publishersWaited: number;
  readersWaited: number;
  /** Bytes: the largest private memory of a worker at the end of a phase. */
  memory: number;
}

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly rows: readonly FaultRow[];
  /** Faults that cannot be had here, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** The first of each kind: one is enough to look into. */
  readonly violations: readonly (Violation & { readonly fault: string })[];
}

const LOAD: Load = { channels: 5, readers: 32, publishers: 6, rate: 200, maxFilling: 800, crowd: 40 };
/** A phase is long enough for a strike or three, and short enough that its history fits into memory. */
const [SHORTEST_SEC, LONGEST_SEC] = [5, 45];
/** Private memory of a worker, whatever its readers do: more is a leak, or a queue that should not be. */
const MAX_WORKER = 256 * 2 ** 20;

export async function verify(setting: VerifySetting): Promise<Report> {
  const random = new Random(setting.seed);
  const startAt = performance.now();
  const elapsed = (): number => (performance.now() - startAt) / 1000;
  const { usable, skipped } = choose(setting);
  const rows = new Map<string, FaultRow>();
  const violations: (Violation & { fault: string })[] = [];
  const seconds = Math.min(LONGEST_SEC, Math.max(SHORTEST_SEC, setting.seconds / usable.length));
  for (let turn = 0; turn < usable.length || elapsed() + seconds < setting.seconds; turn++) {
    const fault = usable[turn % usable.length];
    if (fault === undefined) break;
    const row = rows.get(fault.name) ?? emptyRow(fault);
    rows.set(fault.name, row);
    const result = await runFault(fault, setting, seconds, random.fork());
    addTo(row, result, seconds);
    for (const one of result.verdict.violations)
      if (!violations.some(({ promise, fault: name }) => promise === one.promise && name === fault.name))
        violations.push({ ...one, fault: fault.name });
  }
  return { seed: setting.seed, seconds: elapsed(), rows: [...rows.values()], skipped, violations };
}

function choose({ url, faults, isCluster }: VerifySetting): {
  usable: readonly Fault[];
  skipped: Report["skipped"];
} {
  const wanted = faultsOf(isCluster).filter(({ name }) =>
    url === null ? faults.length === 0 || faults.includes(name) : name === "none",
  );
  const skipped = wanted.flatMap(({ name, missing }) => {
    const why = missing?.() ?? null;
    return why === null ? [] : [{ name, why }];
  });
  return { usable: wanted.filter(({ name }) => !skipped.some((one) => one.name === name)), skipped };
}

async function runFault(
  fault: Fault,
  setting: VerifySetting,
  seconds: number,
  random: Random,
): Promise<PhaseResult & { memory: number }> {
  const load = { ...LOAD, rate: setting.rate, ...fault.load };
  const common = {
    load,
    seconds,
    random,
    isDense: !setting.isCluster,
    keepsAll: setting.url === null && fault.evicts !== true,
    progress: (accepted: number, leftSec: number) =>
      setting.progress(`${fault.name}: ${accepted} messages, ${Math.ceil(leftSec)} s to go`),
  };
  if (setting.url !== null)
    return {
      ...(await runPhase({
        ...common,
        servers: [serverAt(setting.url, setting.fields)],
        isOver: () => false,
        fault: null,
      })),
      memory: 0,
    };
  const { program, other, workers, listener } = setting;
  const server = { program, workers, listener, storeSize: "32MiB", sync: null, ...fault.server };
  const stage = await Stage.start(server, setting.isCluster);
  try {
    const strike = fault.strike;
    let failed: string | null = null;
    const result = await runPhase({
      ...common,
      servers: stage.servers,
      isOver: () => failed !== null || !stage.isUp,
      // A server that does not come back is what a run is there to find.
      fault:
        strike === null
          ? null
          : async (recorder) => {
              if (failed !== null) return;
              await strike({ own: stage.node(random), engine: stage.engine, random, recorder, other }).catch(
                (error: unknown) => {
                  failed = String(error);
                },
              );
            },
    });
    const memory = await stage.largestWorker();
    return { ...(await withServerFaults(result, stage, memory, failed)), memory };
  } finally {
    await stage.dispose();
  }
}

/** What the server itself did wrong: it ended, or grew. Its log says more of an end than any history. */
async function withServerFaults(
  result: PhaseResult,
  stage: Stage,
  memory: number,
  failed: string | null,
): Promise<PhaseResult> {
  const more: Violation[] = [];
  const story = await stage.lastWords();
  if (failed !== null) more.push({ promise: "workers", sentence: failed.slice(0, 500), story });
  else if (!stage.isUp)
    more.push({ promise: "workers", sentence: "the main process ended by itself", story });
  if (memory > MAX_WORKER)
    more.push({
      promise: "bounded",
      sentence: `a worker has ${Math.round(memory / 2 ** 20)} MiB of its own`,
      story: [],
    });
  const { violations, counts } = result.verdict;
  return { ...result, verdict: { counts, violations: [...violations, ...more] } };
}

const emptyRow = ({ name, what }: Fault): FaultRow => ({
  name,
  what,
  phases: 0,
  strikes: 0,
  seconds: 0,
  counts: noCounts(),
  violations: 0,
  byClaim: new Map(),
  publishersWaited: 0,
  readersWaited: 0,
  memory: 0,
});

function addTo(row: FaultRow, result: PhaseResult & { memory: number }, seconds: number): void {
  const { counts, violations } = result.verdict;
  row.phases++;
  row.strikes += result.faults;
  row.seconds += seconds;
  for (const name of Object.keys(counts) as (keyof Counts)[]) row.counts[name] += counts[name];
  row.violations += violations.length;
  for (const { promise } of violations) row.byClaim.set(promise, (row.byClaim.get(promise) ?? 0) + 1);
  row.publishersWaited = Math.max(row.publishersWaited, result.publishersWaited);
  row.readersWaited = Math.max(row.readersWaited, result.readersWaited);
  row.memory = Math.max(row.memory, result.memory);
}
