// Cross traffic: 64 channels with one publisher each that goes on as fast as it can, 1,024 subscribers in 4
// of them each, 1 worker. What a fan-out by channel can coalesce here are messages of different channels to
// one socket.

import type { Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work } from "./crowd.ts";
import { type Peers, present, type Row, type RowResult, ratioLine, together } from "./row.ts";

const CHANNELS = 64;
const TOPICS = 4;
const SUBSCRIBERS = 1024;
const FACTOR = 0.35;

async function measure(peers: Peers, plan: Plan, transport: Transport, label: string): Promise<RowResult> {
  const stands: Stand[] = [];
  try {
    for (const peer of present(...peers.doors, peers.nchan)) {
      const own = await stand(peer, [{ transport, channels: CHANNELS, topics: TOPICS }]);
      stands.push(own);
      for (const crowd of own.crowds) await crowd.grow(SUBSCRIBERS, 128);
      await own.server.assertHolds(SUBSCRIBERS);
    }
    const works = new Map<string, Work[]>(stands.map(({ name }) => [name, []]));
    for (const own of stands) await during(own, (crowd) => crowd.run(plan.warmUpMs));
    for (let round = 0; round < plan.rounds; round++) {
      for (const own of stands)
        works.get(own.name)?.push(await during(own, (crowd) => crowd.run(plan.sampleMs)));
    }
    const costs = new Map([...works].map(([name, own]) => [name, own.map((w) => w.cpuUs / w.deliveries)]));
    const lines = peers.doors.map(({ name }) =>
      ratioLine(costs, [name, "nchan"], {
        figure:
          `CPU per delivery, ${CHANNELS} publishers, ` +
          `subscribers on ${TOPICS} of ${CHANNELS}, ${label}, ${name}`,
        target: `at most ${FACTOR}x Nchan`,
        limit: FACTOR,
        unit: " us",
      }),
    );
    const notes = [...works].map(
      ([name, own]) =>
        `cross, ${label}, ${name}: ${withRange(costs.get(name) ?? [])} us per delivery; ${crowdShares(own)}`,
    );
    return { lines, notes };
  } finally {
    await strike(stands);
  }
}

export const crossRow: Row = {
  name: "cross",
  async run(peers: Peers, plan: Plan) {
    const results = [await measure(peers, plan, "ws", "WebSocket"), await measure(peers, plan, "sse", "SSE")];
    return together(results);
  },
};
