// From the last byte of a subscribe request to standing in the channel: what is published in between, on
// another connection, the subscriber does not get. 2 workers, so that the other connection may be another
// worker's; each trial subscribes on a new connection. Misses are counted for publishes begun 0, 200 us, 300
// us and 1 ms after the request was handed to the kernel. At 0 a race is a race: reported.

import { type RaceResult, startRace } from "../load/crowd-client.ts";
import type { Peer, Transport } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { channelName, type Line, notMeasured, type Peers, present, type Row } from "./row.ts";

const WORKERS = 2;
const DELAYS_US = [0, 200, 300, 1000] as const;
const P99_US = 300;
const P99_SHARE = 0.01;
const NEVER_US = 1000;
/** As a delay: once the answer has begun. Who published then must always be heard. */
const AFTER_HEAD = -1;
const FIGURE = "subscribe to standing, 2 workers: publishes missed";
const TARGET = "p99 at most 0.3 ms; none at 1 ms";
const KINDS: readonly (readonly [Transport, string])[] = [
  ["ws", "WebSocket"],
  ["sse", "SSE"],
  ["stream", "stream"],
  ["longpoll", "long poll"],
];

interface Race {
  readonly misses: ReadonlyMap<number, number>;
  /** To the first byte of the answer; null where that waits for a message. */
  readonly head: RaceResult | null;
}

async function measure(peer: Peer, transport: Transport, trials: number): Promise<Race> {
  const server = await peer.start({ workers: WORKERS });
  const race = await startRace(peer, server, transport, channelName());
  try {
    await race.race(0, Math.min(200, trials));
    const misses = new Map<number, number>();
    for (const delay of DELAYS_US) {
      misses.set(delay, (await race.race(delay, trials)).misses);
    }
    return { misses, head: transport === "longpoll" ? null : await race.race(AFTER_HEAD, trials) };
  } finally {
    await race.stop();
    await server.stop();
  }
}

export const raceRow: Row = {
  name: "race",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0) return { lines: [notMeasured(FIGURE, TARGET)], notes: [] };
    const lines: Line[] = [];
    const notes: string[] = [];
    const doors = new Set(peers.doors);
    for (const [transport, label] of KINDS) {
      for (const peer of present(...peers.doors, peers.nchan)) {
        const { misses, head } = await measure(peer, transport, plan.raceTrials);
        const counts = DELAYS_US.map((delay) => `${misses.get(delay) ?? "?"} at ${delay} us`).join(", ");
        if (head !== null)
          notes.push(
            `race, ${label}, ${peer.name}: first byte of the answer after ${head.p50Us} us, ` +
              `p99 ${head.p99Us} us; published then: ${head.misses} missed`,
          );
        if (!doors.has(peer)) {
          notes.push(`race, ${label}, ${peer.name}: of ${plan.raceTrials} each: ${counts}`);
          continue;
        }
        const atP99 = misses.get(P99_US) ?? Number.NaN;
        lines.push({
          figure: `${FIGURE}, ${label}, ${peer.name}`,
          target: TARGET,
          measured: `of ${plan.raceTrials} each: ${counts}`,
          met:
            misses.get(NEVER_US) === 0 && atP99 <= P99_SHARE * plan.raceTrials && (head?.misses ?? 0) === 0,
        });
      }
    }
    return { lines, notes };
  },
};
