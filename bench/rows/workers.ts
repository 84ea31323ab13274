// What a second worker costs: deliveries a second of server CPU with 2 workers against 1, the same 1,000
// subscribers of one channel. The other worker learns of each message through the shared store and a bell.

import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  type Line,
  leave,
  notMeasured,
  type Peers,
  type Row,
  type RowResult,
  ratioLine,
  shares,
  together,
} from "./row.ts";

const SUBSCRIBERS = 1000;
const FACTOR = 0.9;
const TARGET = `at least ${FACTOR}x a core`;

async function measure(peer: Peer, transport: Transport, label: string, plan: Plan): Promise<RowResult> {
  const entries: Entry[] = [];
  try {
    for (const workers of [1, 2])
      entries.push(await enter({ ...peer, name: `${workers}` }, transport, SUBSCRIBERS, { workers }));
    const lines: Line[] = [];
    const notes: string[] = [];
    for (const window of [1, 16]) {
      const results = await contest(entries, window, plan.rounds, plan);
      const perCpuSec = new Map(
        entries.map(({ name }, index) => [name, (results[index] ?? []).map(({ costUs }) => 1e6 / costUs)]),
      );
      const figure =
        `2 workers against 1: deliveries a second of server CPU, ${label}, ` +
        `${window} in flight, ${peer.name}`;
      lines.push(
        ratioLine(perCpuSec, ["2", "1"], {
          figure,
          target: TARGET,
          limit: FACTOR,
          atLeast: true,
          unit: "/s",
          digits: 0,
        }),
      );
      for (const [index, { name }] of entries.entries()) {
        const own = results[index] ?? [];
        notes.push(
          `workers, ${label}, ${window} in flight, ${peer.name}, ${name}: ` +
            `${withRange(own.map(({ costUs }) => costUs))} us per delivery; ${shares(own)}`,
        );
      }
    }
    return { lines, notes };
  } finally {
    await leave(entries);
  }
}

export const workersRow: Row = {
  name: "workers",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0) return { lines: [notMeasured("2 workers against 1", TARGET)], notes: [] };
    const results: RowResult[] = [];
    for (const peer of peers.doors) {
      results.push(await measure(peer, "ws", "WebSocket", plan));
      results.push(await measure(peer, "stream", "stream", plan));
    }
    return together(results);
  },
};
