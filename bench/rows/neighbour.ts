// Who shares a worker with somebody loud: p99 of a channel with one subscriber, 50 messages a second, while
// another channel hands 1 kB to 10,000 subscribers without pause (two publishes in flight, so that the next
// is there when one is through). 1 worker.

import { startSwarm } from "../load/swarm-client.ts";
import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, percentile, withRange } from "../statistics.ts";
import {
  channelName,
  type Entry,
  enter,
  leave,
  notMeasured,
  orFailed,
  type Peers,
  type Row,
  type RowResult,
  together,
} from "./row.ts";

const CROWD = 10_000;
const CROWD_BYTES = 1000;
const CROWD_WINDOW = 2;
const HZ = 50;
const LIMIT_MS = 10;
const TARGET = `p99 at most ${LIMIT_MS} ms`;

const figureOf = (label: string): string =>
  `channel of 1, while another hands 1 kB to 10,000 without pause, ${label}`;

interface Reading {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly crowdPerSec: number[];
}

async function measure(peer: Peer, transport: Transport, plan: Plan): Promise<Reading> {
  const entries: Entry[] = [];
  const reading: Reading = { p50Ms: [], p99Ms: [], crowdPerSec: [] };
  try {
    const loud = await enter(peer, transport, CROWD, { size: CROWD_BYTES });
    entries.push(loud);
    const quiet = await startSwarm(peer, loud.server, transport, channelName());
    entries.unshift({ name: peer.name, server: loud.server, swarm: quiet });
    await quiet.grow(1);
    for (let round = 0; round <= plan.latencyRounds; round++) {
      const ms = round === 0 ? plan.warmUpMs : plan.neighbourMs;
      const noise = loud.swarm.run(CROWD_WINDOW, ms + 400);
      await Bun.sleep(200);
      const samples = (await quiet.pace(HZ, ms)).samplesUs ?? [];
      const { deliveries, wallUs } = await noise;
      if (round === 0) continue;
      reading.p50Ms.push(percentile(samples, 0.5) / 1000);
      reading.p99Ms.push(percentile(samples, 0.99) / 1000);
      reading.crowdPerSec.push((1e6 * deliveries) / wallUs);
    }
    return reading;
  } finally {
    await leave(entries);
  }
}

export const neighbourRow: Row = {
  name: "neighbour",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0) return { lines: [notMeasured(figureOf("WebSocket"), TARGET)], notes: [] };
    const results: RowResult[] = [];
    for (const [transport, label] of [
      ["ws", "WebSocket"],
      ["stream", "stream"],
    ] as const) {
      for (const peer of peers.doors) {
        const figure = `${figureOf(label)}, ${peer.name}`;
        results.push(
          await orFailed(figure, TARGET, async () =>
            describe(figure, `neighbour, ${label}, ${peer.name}`, await measure(peer, transport, plan)),
          ),
        );
      }
    }
    return together(results);
  },
};

function describe(figure: string, name: string, { p50Ms, p99Ms, crowdPerSec }: Reading): RowResult {
  const measured = `${withRange(p99Ms, 1)} ms, median ${median(p50Ms).toFixed(1)} ms`;
  return {
    lines: [{ figure, target: TARGET, measured, met: median(p99Ms) <= LIMIT_MS }],
    notes: [`${name}: the loud channel had ${median(crowdPerSec).toFixed(0)} deliveries/s meanwhile`],
  };
}
