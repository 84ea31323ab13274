// A crowd that comes back: 10,000 event sources reconnect at once, each with the Last-Event-ID of a message
// behind which 100 others lie, 1 worker. Messages a second of server CPU; and what publishers of another
// channel, 100 a second, feel of it.

import { startCrowd } from "../load/crowd-client.ts";
import { startSwarm } from "../load/swarm-client.ts";
import type { Peer, Server } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work } from "./crowd.ts";
import { channelName, type Line, notMeasured, type Peers, type Row } from "./row.ts";

const BEHIND = 100;
/** Handshakes at a time: the server's queue takes 4,096. */
const IN_FLIGHT = 2000;
const PUBLISH_HZ = 100;
/**
 * Of a backend, which keeps them and waits for its answers. New ones would stand in line behind the crowd.
 */
const PUBLISHERS = 2;
const LIMIT_MS = 20;
/** Who publishes goes on until the crowd is through, however long that takes. */
const PUBLISH_MS = 3000;
const READ_MS = 5000;

/** The id of the first of the messages that are stored: read from a subscriber who asks for all of them. */
async function firstId(peer: Peer, server: Server, channel: string): Promise<string> {
  const path = peer.subscribePath("sse", `${channel}.b${BEHIND + 1}`);
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    headers: { accept: "text/event-stream" },
    signal: AbortSignal.timeout(READ_MS),
  });
  let text = "";
  if (response.body === null) throw new Error("no body");
  for await (const bytes of response.body) {
    text += Buffer.from(bytes).toString("latin1");
    const id = /^id: ?(.+)$/m.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  throw new Error(`no id in: ${text.slice(0, 100)}`);
}

interface Round {
  readonly work: Work;
  readonly publishP99Ms: number;
  readonly calmP99Ms: number;
}

async function measure(peer: Peer, plan: Plan): Promise<Round> {
  const stands: Stand[] = [];
  try {
    const own = await stand(peer, []);
    stands.push(own);
    const name = channelName();
    const options = { transport: "sse", name, sources: 4 } as const;
    const writer = await startCrowd(peer, own.server, options);
    await writer.store(BEHIND + 1);
    await writer.stop();
    const id = await firstId(peer, own.server, `${name}0`);
    const crowd = await startCrowd(peer, own.server, { ...options, field: `Last-Event-ID: ${id}` });
    const publisher = await startSwarm(peer, own.server, "sse", channelName());
    const all = { ...own, crowds: [crowd] };
    stands[0] = all;
    try {
      const calm = await publisher.pace(PUBLISH_HZ, plan.warmUpMs, PUBLISHERS);
      const publishing = publisher.pace(PUBLISH_HZ, PUBLISH_MS, PUBLISHERS);
      const work = await during(all, (own) => own.replay(plan.connections, IN_FLIGHT, BEHIND));
      const { p99Us } = await publishing;
      return { work, publishP99Ms: p99Us / 1000, calmP99Ms: calm.p99Us / 1000 };
    } finally {
      await publisher.stop();
    }
  } finally {
    await strike(stands);
  }
}

export const replayRow: Row = {
  name: "replay",
  async run(peers: Peers, plan: Plan) {
    const { connections } = plan;
    const figure = `replay: ${connections} event sources come back at once, ${BEHIND} messages behind each`;
    const target = `publishers' p99 at most ${LIMIT_MS} ms`;
    if (peers.doors.length === 0) return { lines: [notMeasured(figure, target)], notes: [] };
    const lines: Line[] = [];
    const notes: string[] = [];
    for (const peer of peers.doors) {
      const rounds: Round[] = [];
      for (let n = 0; n < Math.min(3, plan.rounds); n++) rounds.push(await measure(peer, plan));
      const perCoreSec = rounds.map(({ work }) => (1e6 * work.deliveries) / work.cpuUs);
      const p99 = rounds.map(({ publishP99Ms }) => publishP99Ms);
      lines.push({
        figure: `${figure}, ${peer.name}`,
        target,
        measured: `${withRange(p99, 1)} ms; ${withRange(perCoreSec, 0)} messages/s a core`,
        met: median(p99) <= LIMIT_MS,
      });
      const seconds = median(rounds.map(({ work }) => work.wallUs / 1e6)).toFixed(2);
      const calm = median(rounds.map(({ calmP99Ms }) => calmP99Ms)).toFixed(1);
      notes.push(
        `replay, ${peer.name}: all through after ${seconds} s; ` +
          `publishers' p99 without the crowd ${calm} ms; ${crowdShares(rounds.map(({ work }) => work))}`,
      );
    }
    return { lines, notes };
  },
};
