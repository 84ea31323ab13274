// Very many WebSockets that only wait, pinged each 25 s: resident memory and CPU a connection. A process may
// hold 20,000 descriptors here, so servers and generators are as many processes as that takes, and one
// address has 28,000 ports, so each generator has an address of its own. The kernel's memory is apart: the
// growth of its slab, which holds the sockets of both ends, by two. At the end one message must reach all.

import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { memoryOf, slabBytes } from "../process-figures.ts";
import { during, type Stand, stand, strike } from "./crowd.ts";
import { notMeasured, orFailed, type Peers, type Row, type RowResult, together } from "./row.ts";

/** Below the limit of descriptors by what a hash over the workers can miss an even share. */
const PER_WORKER = 17_500;
const PER_GENERATOR = 19_000;
const IN_FLIGHT = 128;
const PING_SEC = 25;
const ANSWER_MS = 20;
const RESIDENT_KB = 1.2;
const CPU_US_PER_SEC = 1;
const FIGURE = "idle WebSockets, ping each 25 s";
const TARGET = `at most ${RESIDENT_KB} kB and ${CPU_US_PER_SEC.toFixed(1)} us/s each`;

interface Reading {
  readonly rssKb: number;
  readonly anonymousKb: number;
  readonly slabKb: number;
  readonly cpuUsPerSec: number;
  readonly pings: number;
  readonly workers: number;
  readonly generators: number;
  readonly connectSec: number;
}

async function measure(peer: Peer, plan: Plan): Promise<Reading> {
  const sockets = plan.idleSockets;
  const workers = Math.ceil(sockets / PER_WORKER);
  const generators = Math.ceil(sockets / PER_GENERATOR);
  const each = Math.floor(sockets / generators);
  const stands: Stand[] = [];
  try {
    const crowds = Array.from({ length: generators }, () => ({ transport: "ws", channels: 1 }) as const);
    const own = await stand(peer, crowds, { workers, pingSec: PING_SEC });
    stands.push(own);
    const pids = own.server.workerPids;
    await Bun.sleep(plan.baselineMs);
    const before = memoryOf(pids);
    const slabBefore = slabBytes();
    const startMs = performance.now();
    for (const [index, crowd] of own.crowds.entries()) {
      await crowd.grow(each, IN_FLIGHT);
      // Those who are connected answer what they were pinged meanwhile, before they are taken for dead.
      await Promise.all(own.crowds.slice(0, index).map((other) => other.idle(ANSWER_MS)));
    }
    const connectSec = (performance.now() - startMs) / 1000;
    await own.server.assertHolds(each * generators);
    await during(own, (crowd) => crowd.idle(plan.settleMs));
    const after = memoryOf(pids);
    const slab = slabBytes() - slabBefore;
    const { cpuUs, wallUs, results } = await during(own, (crowd) => crowd.idle(plan.idleMs));
    await during(own, (crowd) => crowd.store(1));
    const all = each * generators;
    return {
      rssKb: (after.rssBytes - before.rssBytes) / all / 1000,
      anonymousKb: (after.anonymousBytes - before.anonymousBytes) / all / 1000,
      slabKb: slab / all / 2 / 1000,
      cpuUsPerSec: cpuUs / all / (wallUs / 1e6),
      pings: results.reduce((sum, { pings }) => sum + pings, 0),
      workers,
      generators,
      connectSec,
    };
  } finally {
    await strike(stands);
  }
}

export const idleRow: Row = {
  name: "idle",
  async run(peers: Peers, plan: Plan) {
    const figure = `${plan.idleSockets} ${FIGURE}`;
    if (peers.doors.length === 0) return { lines: [notMeasured(figure, TARGET)], notes: [] };
    const results: RowResult[] = [];
    for (const peer of peers.doors) {
      const own = `${figure}, ${peer.name}`;
      results.push(
        await orFailed(own, TARGET, async () => describe(own, peer.name, plan, await measure(peer, plan))),
      );
    }
    return together(results);
  },
};

function describe(figure: string, name: string, plan: Plan, own: Reading): RowResult {
  return {
    lines: [
      {
        figure,
        target: TARGET,
        measured:
          `${own.rssKb.toFixed(2)} kB, ${own.cpuUsPerSec.toFixed(2)} us/s; ` +
          `kernel slab ${own.slabKb.toFixed(2)} kB`,
        met: own.rssKb <= RESIDENT_KB && own.cpuUsPerSec <= CPU_US_PER_SEC,
      },
    ],
    notes: [
      `idle, ${name}: ${own.workers} workers and ${own.generators} generators held ${plan.idleSockets} ` +
        `sockets; ${own.anonymousKb.toFixed(2)} kB anonymous; ` +
        `${own.pings} pings answered in ${plan.idleMs / 1000} s; ` +
        `all were connected after ${own.connectSec.toFixed(0)} s; then one message reached each`,
    ],
  };
}
