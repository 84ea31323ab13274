// Server CPU per delivery at 100, 1,000 and 10,000 stream subscribers, one publish in flight: must stay flat.
// The kernel's own send gets dearer when 10,000 sockets do not fit the cache, so the growth is set against
// the ceiling's, all sizes and contenders in turn.

import type { Chart } from "../charts/chart.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import {
  contest,
  type Entry,
  enter,
  type Line,
  leave,
  notMeasured,
  type Peers,
  present,
  type Row,
} from "./row.ts";

const SIZES = [100, 1000, 10_000] as const;
const FACTOR = 1.05;
const ROUNDS = 3;
const FIGURE = "growth of the cost per delivery from 100 to 10,000 stream subscribers";
const TARGET = `at most ${FACTOR}x the ceiling's own`;

/** By contender: costs by size, each a figure a round. */
type Costs = ReadonlyMap<string, readonly (readonly number[])[]>;

async function measure(peers: Peers, plan: Plan): Promise<Costs> {
  const entries: Entry[] = [];
  try {
    const contenders = present(peers.ceiling, ...peers.doors, peers.nchan);
    for (const peer of contenders) {
      for (const size of SIZES) entries.push(await enter(peer, "stream", size));
    }
    const samples = await contest(entries, 1, Math.min(plan.rounds, ROUNDS), plan);
    const costs = samples.map((own) => own.map(({ costUs }) => costUs));
    return new Map(
      contenders.map(({ name }, at) => [name, costs.slice(at * SIZES.length, (at + 1) * SIZES.length)]),
    );
  } finally {
    await leave(entries);
  }
}

/** Dearest to cheapest size, by round. */
function spread(costs: readonly (readonly number[])[]): number[] {
  return (costs[0] ?? []).map((_, round) => {
    const values = costs.map((own) => own[round] ?? Number.NaN);
    return Math.max(...values) / Math.min(...values);
  });
}

function chartOf(costs: Costs): Chart {
  return {
    file: "cost-by-subscribers",
    title: "CPU a delivery, stream, one publish in flight",
    x: { label: "subscribers", scale: "log" },
    y: { label: "us of server CPU", scale: "linear" },
    series: [...costs].map(([name, own]) => ({
      name,
      points: SIZES.map((size, index) => [size, median(own[index] ?? [])]),
    })),
  };
}

export const scaleRow: Row = {
  name: "scale",
  async run(peers: Peers, plan: Plan) {
    const costs = await measure(peers, plan);
    const notes = [...costs].map(([name, own]) => {
      const values = SIZES.map((size, index) => `${size}: ${withRange(own[index] ?? [])} us`);
      return `scale, ${name}: ${values.join(", ")}; dearest to cheapest ${withRange(spread(own))}x`;
    });
    const charts = [chartOf(costs)];
    const floor = spread(costs.get("ceiling") ?? []);
    if (peers.doors.length === 0) return { lines: [notMeasured(FIGURE, TARGET)], notes, charts };
    const lines = peers.doors.map(({ name }): Line => {
      const own = costs.get(name) ?? [];
      const factors = ratios(spread(own), floor);
      const values = own.map((one) => median(one).toFixed(2)).join(", ");
      const measured =
        `${withRange(factors)}x: ${median(spread(own)).toFixed(2)}x (${values} us) against ` +
        `${median(floor).toFixed(2)}x`;
      return { figure: `${FIGURE}, ${name}`, target: TARGET, measured, met: median(factors) <= FACTOR };
    });
    return { lines, notes, charts };
  },
};
