// Resident memory of the worker per idle subscriber at 10,000 connections, by transport. The difference between 100
// and 10,100 open connections of a fresh server, after a fixed rest and no forced collection: start-up costs are in both
// readings, whatever a connection leaves behind is in the second. Afterwards one message must reach all of them.
//
// The rest before the first reading differs from round to round. A collection that happens to fall into the connection
// burst makes a step of 1 kB a connection, and with one fixed rest it always falls in or never: of 1, 2, 2.5, 3, 4 and 6 s,
// long poll measured 4.45 kB at 2.5 s (3 of 3) and 5.4 to 5.8 kB at all others. A lucky constant is not a result.

import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { memoryOf } from "../process-figures.ts";
import { median, withRange } from "../statistics.ts";
import { type Entry, enter, grow, type Line, leave, type Peers, type Row } from "./row.ts";

const BEFORE = 100;
const CONNECTIONS = 10_000;
/** Not a divisor of a second, so that the rounds meet timers in different phases. */
const PHASE_STEP_MS = 370;

interface Kind {
  readonly transport: Transport;
  readonly label: string;
  readonly limitKb: number;
}

const KINDS: readonly Kind[] = [
  { transport: "stream", label: "stream", limitKb: 5 },
  { transport: "sse", label: "SSE", limitKb: 5 },
  { transport: "longpoll", label: "long poll", limitKb: 5 },
  { transport: "ws", label: "WebSocket", limitKb: 3 },
];

interface Reading {
  readonly rssKb: number;
  readonly anonymousKb: number;
}

async function read(peer: Peer, transport: Transport, plan: Plan, round: number): Promise<Reading> {
  const entries: Entry[] = [];
  try {
    const entry = await enter(peer, transport, BEFORE);
    entries.push(entry);
    await Bun.sleep(plan.baselineMs + round * PHASE_STEP_MS);
    const before = memoryOf(entry.server.workerPids);
    await grow(entry, BEFORE + CONNECTIONS);
    await Bun.sleep(plan.settleMs);
    const after = memoryOf(entry.server.workerPids);
    await entry.swarm.once();
    const perConnection = (bytes: number) => bytes / CONNECTIONS / 1000;
    return {
      rssKb: perConnection(after.rssBytes - before.rssBytes),
      anonymousKb: perConnection(after.anonymousBytes - before.anonymousBytes),
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

async function measure(kind: Kind, peers: Peers, plan: Plan): Promise<{ line: Line; notes: string[] }> {
  const ours: Reading[] = [];
  const theirs: Reading[] = [];
  for (let round = 0; round < plan.memoryRounds; round++) {
    if (peers.sluice !== null) ours.push(await read(peers.sluice, kind.transport, plan, round));
  }
  // Once: it allocates a fixed pool for each connection and repeats to 0.01 kB.
  if (peers.nchan !== null) theirs.push(await read(peers.nchan, kind.transport, plan, 0));
  const own = median(ours.map((reading) => reading.rssKb));
  const other =
    theirs.length > 0 ? `Nchan ${median(theirs.map((reading) => reading.rssKb)).toFixed(2)} kB` : "no Nchan";
  const line: Line = {
    figure: `resident memory per idle ${kind.label} subscriber at 10,000`,
    target: `at most ${kind.limitKb} kB`,
    measured:
      ours.length > 0
        ? `${withRange(ours.map((reading) => reading.rssKb))} kB; ${other}`
        : `not measured; ${other}`,
    met: ours.length > 0 ? own <= kind.limitKb : null,
  };
  const notes = [summary("sluice", kind, ours), summary("nchan", kind, theirs)];
  return { line, notes: notes.filter((_, index) => (index === 0 ? ours : theirs).length > 0) };
}

export const memoryRow: Row = {
  name: "memory",
  async run(peers: Peers, plan: Plan) {
    const lines: Line[] = [];
    const notes: string[] = [];
    for (const kind of KINDS) {
      const result = await measure(kind, peers, plan);
      lines.push(result.line);
      notes.push(...result.notes);
    }
    return { lines, notes };
  },
};
