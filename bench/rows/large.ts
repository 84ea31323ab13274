// Messages of 1 MB to 200 subscribers, one in flight, 1 worker: CPU per delivery against the ceiling, and by
// how much the worker's memory grows over what it was before the first of them, at most, looked at every 5
// ms. Shared memory is the store and does not count; nor do the 5 to 6 MB that the first messages of any size
// take (code that is compiled): small ones go before.

import { startSwarm } from "../load/swarm-client.ts";
import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { anonymousOf } from "../process-figures.ts";
import { median, withRange } from "../statistics.ts";
import {
  channelName,
  type Entry,
  enter,
  type Line,
  leave,
  type Peers,
  present,
  type Row,
  type RowResult,
  ratioLine,
  type Sample,
  sample,
  shares,
  together,
} from "./row.ts";

const SUBSCRIBERS = 200;
const MESSAGE_BYTES = 1_000_000;
const FACTOR = 1.2;
const MESSAGES_GROWN = 3;
const LOOK_MS = 5;
const WARM_SUBSCRIBERS = 20;
/** Compilers of the engine take what was called often only after a second or two. */
const WARM_MS = 3000;

/** The most that `pids` hold while `job` runs. */
async function peakWhile<T>(pids: readonly number[], job: Promise<T>): Promise<{ result: T; peak: number }> {
  let peak = anonymousOf(pids);
  const timer = setInterval(() => {
    peak = Math.max(peak, anonymousOf(pids));
  }, LOOK_MS);
  try {
    return { result: await job, peak };
  } finally {
    clearInterval(timer);
  }
}

/** What the first messages after a start take, whatever their size. */
async function warmUp(peer: Peer, { server }: Entry, transport: Transport, ms: number): Promise<void> {
  const swarm = await startSwarm(peer, server, transport, channelName());
  try {
    await swarm.grow(WARM_SUBSCRIBERS);
    await swarm.run(1, ms);
  } finally {
    await swarm.stop();
  }
}

interface Large {
  readonly samples: Sample[];
  /** MB over what it held before the first message, one figure a round. */
  readonly grownMb: number[];
}

async function measure(peers: Peers, transport: Transport, label: string, plan: Plan): Promise<RowResult> {
  const entries: Entry[] = [];
  const found = new Map<string, Large>();
  const before = new Map<string, number>();
  try {
    for (const peer of present(peers.ceiling, ...peers.doors) satisfies Peer[]) {
      const entry = await enter(peer, transport, SUBSCRIBERS, { size: MESSAGE_BYTES });
      entries.push(entry);
      found.set(entry.name, { samples: [], grownMb: [] });
      if (peers.doors.includes(peer)) await warmUp(peer, entry, transport, WARM_MS);
    }
    await Bun.sleep(plan.baselineMs);
    for (const { name, server } of entries) before.set(name, anonymousOf(server.workerPids));
    for (let round = 0; round < plan.rounds; round++) {
      for (const entry of entries) {
        const job = sample(entry, 1, plan.sampleMs);
        const { result, peak } = await peakWhile(entry.server.workerPids, job);
        const own = found.get(entry.name);
        own?.samples.push(result);
        own?.grownMb.push((peak - (before.get(entry.name) ?? 0)) / 1e6);
      }
    }
  } finally {
    await leave(entries);
  }
  const costs = new Map([...found].map(([name, { samples }]) => [name, samples.map((one) => one.costUs)]));
  const limitMb = (MESSAGES_GROWN * MESSAGE_BYTES) / 1e6;
  const lines = peers.doors.flatMap(({ name }): Line[] => {
    const figure = `1 MB messages to ${SUBSCRIBERS}, ${label}, ${name}`;
    const grown = found.get(name)?.grownMb ?? [];
    const target = `at most ${FACTOR}x the ceiling`;
    return [
      ratioLine(costs, [name, "ceiling"], {
        figure: `${figure}, CPU per delivery`,
        target,
        limit: FACTOR,
        unit: " us",
        digits: 0,
      }),
      {
        figure: `${figure}, memory`,
        target: `grows by at most ${MESSAGES_GROWN} messages`,
        measured: `${withRange(grown, 1)} MB`,
        met: median(grown) <= limitMb,
      },
    ];
  });
  const notes = [...found].map(
    ([name, { samples, grownMb }]) =>
      `large, ${label}, ${name}: ${withRange(
        samples.map(({ costUs }) => costUs),
        0,
      )} us per delivery, memory grown by ${withRange(grownMb, 1)} MB at most; ${shares(samples)}`,
  );
  return { lines, notes };
}

export const largeRow: Row = {
  name: "large",
  async run(peers: Peers, plan: Plan) {
    const results = [
      await measure(peers, "stream", "stream", plan),
      await measure(peers, "ws", "WebSocket", plan),
    ];
    return together(results);
  },
};
