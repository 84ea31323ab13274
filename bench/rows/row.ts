// What a row of the bench is, and the contest that most rows hold: the same work for each contender in turn,
// round after round (A B C, A B C ...), so that a slow minute of the machine falls on all of them.

import type { Chart } from "../charts/chart.ts";
import type { RunResult, Swarm } from "../load/swarm-client.ts";
import { startSwarm } from "../load/swarm-client.ts";
import type { Peer, Server, StartOptions, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, ratios, withRange } from "../statistics.ts";

export interface Peers {
  readonly ceiling: Peer;
  /** sluice by each door that was asked for; none: it cannot run here. */
  readonly doors: readonly Peer[];
  /** null: cannot run here; the row says "not measured". */
  readonly nchan: Peer | null;
}

export interface Line {
  readonly figure: string;
  readonly target: string;
  readonly measured: string;
  /** null: undecided, as a contender is missing or the machine was busy. */
  readonly met: boolean | null;
}

export interface RowResult {
  readonly lines: readonly Line[];
  /** Values behind the lines, for the reader who doubts: one string a fact. */
  readonly notes: readonly string[];
  readonly charts?: readonly Chart[];
}

export interface Row {
  /** For --only. */
  readonly name: string;
  run(peers: Peers, plan: Plan): Promise<RowResult>;
}

/** One contender at work: a server, its generator and what was measured so far. */
export interface Entry {
  readonly name: string;
  readonly server: Server;
  readonly swarm: Swarm;
}

export interface Sample {
  /** Server CPU (workers only) per delivery, or per message where nobody subscribes. */
  readonly costUs: number;
  readonly mainCostUs: number;
  /** Share of one core the workers and the generator used. */
  readonly serverShare: number;
  readonly clientShare: number;
  readonly result: RunResult;
}

interface EnterOptions extends StartOptions {
  /** Bytes of a message. */
  readonly size?: number;
}

let channelNumber = 0;

/** One that no other row of this run has used. */
export function channelName(): string {
  return `bench${++channelNumber}`;
}

/** Those that can run here. */
export function present(...peers: readonly (Peer | null)[]): Peer[] {
  return peers.filter((peer): peer is Peer => peer !== null);
}

/** Starts a server and connects `subscribers` to a channel of its own. */
export async function enter(
  peer: Peer,
  transport: Transport,
  subscribers: number,
  { size, ...options }: EnterOptions = {},
): Promise<Entry> {
  const server = await peer.start(options);
  const swarm = await startSwarm(peer, server, transport, channelName(), size);
  const entry = { name: peer.name, server, swarm };
  try {
    if (subscribers > 0) await grow(entry, subscribers);
    return entry;
  } catch (error) {
    await leave([entry]);
    throw error;
  }
}

/** Connects subscribers until there are `total`, and makes sure that the processes we read from hold them. */
export async function grow(entry: Entry, total: number): Promise<void> {
  await entry.swarm.grow(total);
  await entry.server.assertHolds(total);
}

export async function leave(entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    await entry.swarm.stop();
    await entry.server.stop();
  }
}

/**
 * In flight at least while a contender warms up: with one alone a runtime that compiles as it goes sees some
 * hundred messages a second, and goes on with that through most of a row.
 */
const WARM_UP_WINDOW = 16;

/** Runs `window` publishes in flight for `ms` and sets the server's CPU time against what was delivered. */
export async function sample(entry: Entry, window: number, ms: number): Promise<Sample> {
  const { workerPids, mainPid } = entry.server;
  const alone = workerPids.includes(mainPid);
  const workersBefore = cpuUs(workerPids);
  const mainBefore = cpuUs([mainPid]);
  const result = await entry.swarm.run(window, ms);
  const workersUs = cpuUs(workerPids) - workersBefore;
  const mainUs = alone ? 0 : cpuUs([mainPid]) - mainBefore;
  if (workersUs === 0) throw new Error(`${entry.name}: no CPU time seen: the wrong process is being read`);
  const work = result.deliveries > 0 ? result.deliveries : result.messages;
  return {
    costUs: workersUs / work,
    mainCostUs: mainUs / work,
    serverShare: workersUs / result.wallUs,
    clientShare: result.cpuUs / result.wallUs,
    result,
  };
}

/**
 * Rounds of one sample each, after a warm-up of each. Answer: samples by entry, in the order of `entries`.
 */
export async function contest(
  entries: readonly Entry[],
  window: number,
  rounds: number,
  plan: Plan,
): Promise<Sample[][]> {
  const samples: Sample[][] = entries.map(() => []);
  for (const { swarm } of entries) await swarm.run(Math.max(window, WARM_UP_WINDOW), plan.warmUpMs);
  for (const { swarm } of entries) if (window < WARM_UP_WINDOW) await swarm.run(window, plan.warmUpMs);
  for (let round = 0; round < rounds; round++) {
    for (const [index, entry] of entries.entries()) {
      samples[index]?.push(await sample(entry, window, plan.sampleMs));
    }
  }
  return samples;
}

/** "server 98 %, generator 61 % of a core": the proof that the generator had time to spare. */
export function shares(samples: readonly Sample[]): string {
  const percent = (pick: (sample: Sample) => number) => (100 * median(samples.map(pick))).toFixed(0);
  return `server ${percent((s) => s.serverShare)} %, generator ${percent((s) => s.clientShare)} % of a core`;
}

/**
 * How the values of `name` stand to those of `other`, as a line; without either the line says so instead of
 * passing. `limit` is the most the median ratio may be, or with `atLeast` the least.
 */
export function ratioLine(
  values: ReadonlyMap<string, readonly number[]>,
  [name, other]: readonly [string, string],
  { figure, target, limit, atLeast = false, unit, digits = 2 }: RatioOptions,
): Line {
  const [ours, theirs] = [values.get(name), values.get(other)];
  if (ours === undefined || theirs === undefined) return notMeasured(figure, target);
  const factors = ratios(ours, theirs);
  const [own, beside] = [median(ours).toFixed(digits), median(theirs).toFixed(digits)];
  const factor = median(factors);
  return {
    figure,
    target,
    measured: `${withRange(factors)}x: ${own}${unit} against ${beside}${unit}`,
    met: atLeast ? factor >= limit : factor <= limit,
  };
}

export interface RatioOptions {
  readonly figure: string;
  readonly target: string;
  readonly limit: number;
  readonly atLeast?: boolean;
  /** With the blank before it, as " us". */
  readonly unit: string;
  readonly digits?: number;
}

/** The line of a row that could not be measured here. */
export function notMeasured(figure: string, target: string): Line {
  return { figure, target, measured: "not measured: a contender is missing", met: null };
}

/**
 * What could not be measured because something failed stands in the table as that, and costs the other lines
 * nothing.
 */
export async function orFailed(
  figure: string,
  target: string,
  measure: () => Promise<RowResult>,
): Promise<RowResult> {
  try {
    return await measure();
  } catch (error) {
    const measured = `failed: ${error instanceof Error ? error.message : String(error)}`;
    return { lines: [{ figure, target, measured, met: false }], notes: [] };
  }
}

/** The results of the parts of a row as one. */
export function together(results: readonly RowResult[]): RowResult {
  return {
    lines: results.flatMap((result) => result.lines),
    notes: results.flatMap((result) => result.notes),
    charts: results.flatMap((result) => result.charts ?? []),
  };
}
