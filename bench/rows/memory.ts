// Resident memory of the worker per idle subscriber at 10,000 connections, by transport. The difference
// between 100 and 10,100 open connections of a fresh server, after a fixed rest and no forced collection:
// start-up costs are in both readings, whatever a connection leaves behind is in the second. Afterwards one
// message must reach all of them.
//
// The rest before the first reading differs from round to round. A collection that happens to fall into the
// connection burst makes a step of 1 kB a connection, and with one fixed rest it always falls in or never: of
// 1, 2, 2.5, 3, 4 and 6 s, long poll measured 4.45 kB at 2.5 s (3 of 3) and 5.4 to 5.8 kB at all others. A
// lucky constant is not a result.

import type { Chart } from "../charts/chart.ts";
import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { memoryOf } from "../process-figures.ts";
import { median, withRange } from "../statistics.ts";
import {
  type Entry,
  enter,
  grow,
  type Line,
  leave,
  type Peers,
  type Row,
  type RowResult,
  together,
} from "./row.ts";

const BEFORE = 100;
const CONNECTIONS = 10_000;
/** Where the curve is read, without a rest: the last is the figure. */
const STEPS = [1000, 2500, 5000, 7500, 10_000] as const;
/** Not a divisor of a second, so that the rounds meet timers in different phases. */
const PHASE_STEP_MS = 370;

interface Kind {
  readonly transport: Transport;
  readonly label: string;
  readonly limitKb: Readonly<Record<string, number>>;
}

const KINDS: readonly Kind[] = [
  { transport: "stream", label: "stream", limitKb: { native: 4.5, wire: 1.2 } },
  { transport: "sse", label: "SSE", limitKb: { native: 4.5, wire: 1.2 } },
  { transport: "longpoll", label: "long poll", limitKb: { native: 4.5, wire: 1.2 } },
  { transport: "ws", label: "WebSocket", limitKb: { native: 2.8, wire: 1.2 } },
];

interface Reading {
  readonly rssKb: number;
  readonly anonymousKb: number;
  /** MB over the first reading, by connections. */
  readonly curve: readonly (readonly [number, number])[];
}

async function read(peer: Peer, transport: Transport, plan: Plan, round: number): Promise<Reading> {
  const entries: Entry[] = [];
  try {
    const entry = await enter(peer, transport, BEFORE);
    entries.push(entry);
    await Bun.sleep(plan.baselineMs + round * PHASE_STEP_MS);
    const pids = entry.server.workerPids;
    const before = memoryOf(pids);
    const curve: [number, number][] = [];
    for (const step of STEPS) {
      await grow(entry, BEFORE + step);
      if (step === CONNECTIONS) await Bun.sleep(plan.settleMs);
      curve.push([step, (memoryOf(pids).rssBytes - before.rssBytes) / 1e6]);
    }
    const after = memoryOf(pids);
    await entry.swarm.once();
    const perConnection = (bytes: number) => bytes / CONNECTIONS / 1000;
    return {
      rssKb: perConnection(after.rssBytes - before.rssBytes),
      anonymousKb: perConnection(after.anonymousBytes - before.anonymousBytes),
      curve,
    };
  } finally {
    await leave(entries);
  }
}

function summary(name: string, kind: Kind, readings: readonly Reading[]): string {
  const rss = withRange(readings.map((reading) => reading.rssKb));
  const anonymous = median(readings.map((reading) => reading.anonymousKb)).toFixed(2);
  return `memory, ${kind.label}, ${name}: ${rss} kB resident, ${anonymous} kB of it anonymous`;
}

async function measure(kind: Kind, peers: Peers, plan: Plan): Promise<RowResult> {
  const readings = new Map<string, Reading[]>();
  const failures = new Map<string, string>();
  for (const peer of peers.doors) {
    const own: Reading[] = [];
    try {
      for (let round = 0; round < plan.memoryRounds; round++)
        own.push(await read(peer, kind.transport, plan, round));
      readings.set(peer.name, own);
    } catch (error) {
      failures.set(peer.name, `failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  // Once: it allocates a fixed pool for each connection and repeats to 0.01 kB.
  if (peers.nchan !== null) readings.set("nchan", [await read(peers.nchan, kind.transport, plan, 0)]);
  const sizes = (name: string) => (readings.get(name) ?? []).map(({ rssKb }) => rssKb);
  const other = peers.nchan === null ? "no Nchan" : `Nchan ${median(sizes("nchan")).toFixed(2)} kB`;
  const lines = peers.doors.map(({ name }): Line => {
    const limit = kind.limitKb[name] ?? Number.NaN;
    return {
      figure: `resident memory per idle ${kind.label} subscriber at 10,000, ${name}`,
      target: `at most ${limit} kB`,
      measured: failures.get(name) ?? `${withRange(sizes(name))} kB; ${other}`,
      met: median(sizes(name)) <= limit,
    };
  });
  const chart: Chart = {
    file: `memory-${kind.transport}`,
    title: `Resident memory of idle ${kind.label} subscribers`,
    x: { label: "connections", scale: "linear" },
    y: { label: "MB of the worker, over none", scale: "linear" },
    series: [...readings].map(([name, own]) => ({ name, points: [[0, 0], ...middle(own)] })),
  };
  return { lines, notes: [...readings].map(([name, own]) => summary(name, kind, own)), charts: [chart] };
}

/** The median of the rounds at each step. */
function middle(readings: readonly Reading[]): [number, number][] {
  return STEPS.map((step, at) => [step, median(readings.map(({ curve }) => curve[at]?.[1] ?? Number.NaN))]);
}

export const memoryRow: Row = {
  name: "memory",
  async run(peers: Peers, plan: Plan) {
    const results: RowResult[] = [];
    for (const kind of KINDS) results.push(await measure(kind, peers, plan));
    return together(results);
  },
};
