// Server CPU per delivery: 1 worker, 1,000 subscribers, 100-byte messages, 1 and 16 publishes in flight, by stream
// and by WebSocket. The core of the bench: sluice against the ceiling and against Nchan, ratios within a round.

import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  type Line,
  leave,
  type Peers,
  type Row,
  type Sample,
  shares,
} from "./row.ts";

const SUBSCRIBERS = 1000;
const CEILING_FACTOR = 1.25;
const BURST_FACTOR = 0.15;

type Samples = ReadonlyMap<string, readonly Sample[]>;

function costs(samples: Samples, name: string): number[] | null {
  return samples.get(name)?.map((sample) => sample.costUs) ?? null;
}

/** The ratio a target speaks of, as a line; without the peer the line says so instead of passing. */
function ratioLine(samples: Samples, peer: string, figure: string, target: string, limit: number): Line {
  const ours = costs(samples, "sluice");
  const theirs = costs(samples, peer);
  if (ours === null || theirs === null) return { figure, target, measured: "not measured", met: null };
  const factors = ratios(ours, theirs);
  const values = `${median(ours).toFixed(2)} us against ${median(theirs).toFixed(2)} us`;
  return { figure, target, measured: `${withRange(factors)}x: ${values}`, met: median(factors) <= limit };
}

function lines(samples: Samples, label: string, window: number): Line[] {
  const figure = `CPU per delivery, ${label}, ${window} in flight`;
  if (window > 1) {
    return [ratioLine(samples, "nchan", figure, `at most ${BURST_FACTOR}x Nchan`, BURST_FACTOR)];
  }
  return [
    ratioLine(samples, "ceiling", figure, `at most ${CEILING_FACTOR}x the ceiling`, CEILING_FACTOR),
    ratioLine(samples, "nchan", figure, "below Nchan", 1),
  ];
}

function notes(samples: Samples, label: string, window: number): string[] {
  return [...samples].map(([name, own]) => {
    const cost = withRange(own.map((sample) => sample.costUs));
    const main = median(own.map((sample) => sample.mainCostUs));
    const beside = main > 0 ? `, main process ${main.toFixed(3)} us` : "";
    return `${label}, ${window} in flight, ${name}: ${cost} us per delivery${beside}; ${shares(own)}`;
  });
}

function row(transport: Transport, label: string, window: number): Row {
  return {
    name: `${transport}-${window}`,
    async run(peers: Peers, plan: Plan) {
      const contenders = [peers.ceiling, peers.sluice, peers.nchan].filter(
        (peer): peer is Peer => peer !== null,
      );
      const entries: Entry[] = [];
      try {
        for (const peer of contenders) entries.push(await enter(peer, transport, SUBSCRIBERS));
        const results = await contest(entries, window, plan.rounds, plan);
        const samples = new Map(entries.map((entry, index) => [entry.name, results[index] ?? []]));
        return { lines: lines(samples, label, window), notes: notes(samples, label, window) };
      } finally {
        await leave(entries);
      }
    },
  };
}

export const deliveryRows: readonly Row[] = [
  row("stream", "stream", 1),
  row("stream", "stream", 16),
  row("ws", "WebSocket", 1),
  row("ws", "WebSocket", 16),
];
