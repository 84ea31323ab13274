// Rooms: 32,000 WebSockets in rooms of 100, 2 messages a second in each room. One process may hold 20,000
// descriptors, so there are 2 workers and 2 generators; every room has members on both workers. Latency is
// from when a publish was due to each single delivery, by the worse of the two generators; servers and
// generators share the machine, so these are figures of a machine that does both.

import type { Chart } from "../charts/chart.ts";
import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work, worst } from "./crowd.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const GENERATORS = 2;
const WORKERS = 2;
const ROOM = 100;
const HZ_PER_ROOM = 2;
const LIMIT_MS = 50;

async function measure(peer: Peer, plan: Plan): Promise<Work[]> {
  const channels = plan.roomSockets / ROOM / GENERATORS;
  const crowd = { transport: "ws", channels, sources: 4 } as const;
  const stands: Stand[] = [];
  try {
    const own = await stand(
      peer,
      Array.from({ length: GENERATORS }, () => crowd),
      { workers: WORKERS },
    );
    stands.push(own);
    for (const generator of own.crowds) await generator.grow(plan.roomSockets / GENERATORS, 128);
    await own.server.assertHolds(plan.roomSockets);
    const hz = channels * HZ_PER_ROOM;
    await during(own, (generator) => generator.pace(hz, plan.warmUpMs));
    const works: Work[] = [];
    for (let round = 0; round < plan.latencyRounds; round++)
      works.push(await during(own, (generator) => generator.pace(hz, plan.roomMs)));
    return works;
  } finally {
    await strike(stands);
  }
}

export const roomsRow: Row = {
  name: "rooms",
  async run(peers: Peers, plan: Plan) {
    const figure =
      `rooms: ${plan.roomSockets} WebSockets in rooms of ${ROOM}, ` +
      `${HZ_PER_ROOM} messages/s each, ${WORKERS} workers`;
    const target = `p99 below ${LIMIT_MS} ms`;
    if (peers.doors.length === 0) return { lines: [notMeasured(figure, target)], notes: [] };
    const lines = [];
    const notes: string[] = [];
    const curves: { name: string; points: [number, number][] }[] = [];
    for (const peer of peers.doors) {
      const works = await measure(peer, plan);
      const ms = (pick: Parameters<typeof worst>[1]) => works.map((work) => worst(work, pick) / 1000);
      const perCoreSec = works.map(({ deliveries, cpuUs }) => (1e6 * deliveries) / cpuUs);
      const p99 = ms(({ p99Us }) => p99Us);
      const half = median(ms(({ p50Us }) => p50Us));
      const p95 = median(ms(({ p95Us }) => p95Us));
      lines.push({
        figure: `${figure}, ${peer.name}`,
        target,
        measured:
          `p50 ${half.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${withRange(p99, 1)} ms; ` +
          `${median(perCoreSec).toFixed(0)} deliveries a core second`,
        met: median(p99) < LIMIT_MS,
      });
      const seen = withRange(
        works.map(({ deliveries, wallUs }) => (1e6 * deliveries) / wallUs),
        0,
      );
      notes.push(
        `rooms, ${peer.name}: ${seen} deliveries/s, ${withRange(perCoreSec, 0)} a second of server ` +
          `core, worst ${Math.max(...ms(({ maxUs }) => maxUs)).toFixed(1)} ms; ${crowdShares(works)}; ` +
          `${GENERATORS} generators with ${plan.roomSockets / GENERATORS} sockets each`,
      );
      const points: [number, number][] = [
        [0.5, half],
        [0.9, median(ms(({ p90Us }) => p90Us))],
        [0.95, p95],
        [0.99, median(p99)],
        [0.999, median(ms(({ p999Us }) => p999Us))],
      ];
      curves.push({ name: peer.name, points });
    }
    const chart: Chart = {
      file: "latency-rooms",
      title: `Latency of a delivery: ${plan.roomSockets} WebSockets in rooms of ${ROOM}`,
      x: { label: "share of deliveries", scale: "tail" },
      y: { label: "ms, from when the publish was due", scale: "linear" },
      series: curves,
    };
    return { lines, notes, charts: [chart] };
  },
};
