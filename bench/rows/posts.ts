// POST requests each on a connection of its own, which the client closes: what PHP and cron jobs do. 1
// worker, 32 under way.
//
// What a client sees is bounded by its own connect() and close(), and on a loopback these do part of the
// server's work. So the ratio is of requests a second of server CPU; the rates that were seen are in the
// notes, with the generator's share, and what the first ones after the start cost, while the engine compiles.

import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work, warmUp } from "./crowd.ts";
import { type Peers, present, type Row, ratioLine } from "./row.ts";

const IN_FLIGHT = 32;
/** Ports of a closed connection rest; one address has 28,000. */
const SOURCES = 200;
const FACTOR = 0.8;

const perCpuSec = (work: Work): number => (1e6 * work.messages) / work.cpuUs;

export const postsRow: Row = {
  name: "posts",
  async run(peers: Peers, plan: Plan) {
    const stands: Stand[] = [];
    try {
      for (const peer of present(...peers.doors, peers.nchan))
        stands.push(await stand(peer, [{ transport: "stream", channels: IN_FLIGHT, sources: SOURCES }]));
      const works = new Map<string, Work[]>(stands.map(({ name }) => [name, []]));
      const first = new Map<string, Work>();
      for (const own of stands) {
        const warm = () => during(own, (crowd) => crowd.post(IN_FLIGHT, plan.warmUpMs));
        first.set(own.name, await warmUp(own, warm));
      }
      for (let round = 0; round < plan.rounds; round++) {
        for (const own of stands)
          works.get(own.name)?.push(await during(own, (crowd) => crowd.post(IN_FLIGHT, plan.sampleMs)));
      }
      const rates = new Map([...works].map(([name, own]) => [name, own.map(perCpuSec)]));
      const lines = peers.doors.map(({ name }) =>
        ratioLine(rates, [name, "nchan"], {
          figure: `POST, a new connection each, requests/s of server CPU, ${name}`,
          target: `at least ${FACTOR}x Nchan`,
          limit: FACTOR,
          atLeast: true,
          unit: "/s",
          digits: 0,
        }),
      );
      const notes = [...works].map(([name, own]) => {
        const seen = withRange(
          own.map(({ messages, wallUs }) => (1e6 * messages) / wallUs),
          0,
        );
        const p99 = median(own.map(({ results }) => results[0]?.p99Us ?? Number.NaN));
        const each = (work: Work) => work.cpuUs / work.messages;
        const cost = median(own.map(each)).toFixed(1);
        const begun = first.get(name);
        const cold = begun === undefined ? "-" : each(begun).toFixed(1);
        return (
          `POST, new connections, ${name}: ${cost} us of CPU each (${cold} in the first sample after ` +
          `the start), ${seen} requests/s seen, ` +
          `p99 ${p99} us; ${crowdShares(own)}`
        );
      });
      return { lines, notes };
    } finally {
      await strike(stands);
    }
  },
};
