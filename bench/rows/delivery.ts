// Server CPU per delivery: 1 worker, 1,000 subscribers, 100-byte messages, 1 and 16 publishes in flight, by
// stream, SSE and WebSocket. The core of the bench: sluice by each of its doors against the ceiling and
// against Nchan, ratios within a round.

import { bareFanout } from "../peers/bare.ts";
import type { Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  type Line,
  leave,
  type Peers,
  present,
  type Row,
  ratioLine,
  type Sample,
  shares,
} from "./row.ts";

const SUBSCRIBERS = 1000;
const CEILING_FACTOR = 1.25;
const BURST_FACTOR = 0.15;
const UNIT = " us";

type Samples = ReadonlyMap<string, readonly Sample[]>;

function lines(samples: Samples, doors: readonly string[], label: string, window: number): Line[] {
  const costs = new Map([...samples].map(([name, own]) => [name, own.map(({ costUs }) => costUs)]));
  return doors.flatMap((door) => {
    const figure = `CPU per delivery, ${label}, ${window} in flight, ${door}`;
    const line = (other: string, target: string, limit: number) =>
      ratioLine(costs, [door, other], { figure, target, limit, unit: UNIT });
    if (window > 1) return [line("nchan", `at most ${BURST_FACTOR}x Nchan`, BURST_FACTOR)];
    return [
      line("ceiling", `at most ${CEILING_FACTOR}x the ceiling`, CEILING_FACTOR),
      line("nchan", "below Nchan", 1),
    ];
  });
}

function notes(samples: Samples, label: string, window: number): string[] {
  const costs = (name: string) => (samples.get(name) ?? []).map(({ costUs }) => costUs);
  return [...samples].map(([name, own]) => {
    const cost = withRange(costs(name));
    const main = median(own.map((sample) => sample.mainCostUs));
    const floor =
      name === bareFanout.name ? `, ${withRange(ratios(costs(name), costs("ceiling")))}x the ceiling` : "";
    const beside = main > 0 ? `, main process ${main.toFixed(3)} us` : floor;
    return `${label}, ${window} in flight, ${name}: ${cost} us per delivery${beside}; ${shares(own)}`;
  });
}

function row(transport: Transport, label: string, window: number): Row {
  return {
    name: `${transport}-${window}`,
    async run(peers: Peers, plan: Plan) {
      const entries: Entry[] = [];
      try {
        // How much of the native door's part is the runtime's own.
        const floor = window === 1 && peers.doors.some(({ name }) => name === "native") ? bareFanout : null;
        for (const peer of present(peers.ceiling, ...peers.doors, peers.nchan, floor))
          entries.push(await enter(peer, transport, SUBSCRIBERS));
        const results = await contest(entries, window, plan.rounds, plan);
        const samples = new Map(entries.map((entry, index) => [entry.name, results[index] ?? []]));
        const doors = peers.doors.map(({ name }) => name);
        return { lines: lines(samples, doors, label, window), notes: notes(samples, label, window) };
      } finally {
        await leave(entries);
      }
    },
  };
}

export const deliveryRows: readonly Row[] = [1, 16].flatMap((window) => [
  row("stream", "stream", window),
  row("sse", "SSE", window),
  row("ws", "WebSocket", window),
]);
