// Server CPU per delivery at 100, 1,000 and 10,000 stream subscribers, one publish in flight: must stay flat. The ceiling
// is measured at the same sizes, because the kernel's own send gets dearer when 10,000 sockets do not fit the cache.

import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { contest, type Entry, enter, leave, notMeasured, type Peers, type Row } from "./row.ts";

const SIZES = [100, 1000, 10_000] as const;
const FACTOR = 1.6;
const FIGURE = "cost per delivery at 100, 1,000, 10,000 stream subscribers";
const TARGET = `flat within ${FACTOR}x`;

/** Costs by size, interleaved over the sizes; and dearest to cheapest, by round. */
async function measure(peer: Peer, plan: Plan): Promise<{ costs: number[][]; spread: number[] }> {
  const entries: Entry[] = [];
  try {
    for (const size of SIZES) entries.push(await enter(peer, "stream", size));
    const samples = await contest(entries, 1, Math.min(plan.rounds, 3), plan);
    const costs = samples.map((own) => own.map((sample) => sample.costUs));
    const rounds = costs[0]?.length ?? 0;
    const spread = Array.from({ length: rounds }, (_, round) => {
      const values = costs.map((own) => own[round] ?? Number.NaN);
      return Math.max(...values) / Math.min(...values);
    });
    return { costs, spread };
  } finally {
    await leave(entries);
  }
}

function describe(name: string, costs: readonly number[][], spread: readonly number[]): string {
  const values = SIZES.map((size, index) => `${size}: ${withRange(costs[index] ?? [])} us`);
  return `scale, ${name}: ${values.join(", ")}; dearest to cheapest ${withRange(spread)}x`;
}

export const scaleRow: Row = {
  name: "scale",
  async run(peers: Peers, plan: Plan) {
    const floor = await measure(peers.ceiling, plan);
    const notes = [describe("ceiling", floor.costs, floor.spread)];
    if (peers.sluice === null) return { lines: [notMeasured(FIGURE, TARGET)], notes };
    const { costs, spread } = await measure(peers.sluice, plan);
    notes.push(describe("sluice", costs, spread));
    const values = costs.map((own) => median(own).toFixed(2)).join(", ");
    const measured = `${withRange(spread)}x: ${values} us (ceiling ${median(floor.spread).toFixed(2)}x)`;
    return { lines: [{ figure: FIGURE, target: TARGET, measured, met: median(spread) <= FACTOR }], notes };
  },
};
