/**
 * Whoever publishes or deletes rings the other workers. A worker also looks by itself ten times a second
 * (fanout/pump.ts), which hides a bell that nobody rings from every test that only waits for what it is to
 * get: so bells are counted here. Those of events are in test/fanout/events.test.ts.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

/** Enough that both workers have some. */
const POLLS = 12;
/**
 * A worker that is awake for another reason is not rung; that it always is would be a strange coincidence.
 */
const ROUNDS = 20;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ toml: layout("", { ws: "websocket_allow_publish = true" }) });
});
afterAll(async () => {
  await server.stop();
});

let names = 0;
const fresh = (): string => `w${++names}`;

interface Happening {
  /** Where the polls wait. */
  readonly channel: string;
  /** Others who stand there. */
  readonly standing?: number;
  readonly act: () => Promise<unknown>;
}

/** Everybody who waits there is answered; the bells that were heard for it. */
async function bellsFor({ channel, standing = 0, act }: Happening): Promise<number> {
  const polls = Array.from({ length: POLLS }, () => server.request(`/lp/${channel}`));
  const all = POLLS + standing;
  await until("all wait", async () => (await server.statistics(channel)).subscribers === all);
  const before = await server.metric("sluice_bells_heard");
  await act();
  for (const poll of polls) expect((await poll).status).toBe(200);
  return (await server.metric("sluice_bells_heard")) - before;
}

const happenings: readonly [string, () => Happening | Promise<Happening>][] = [
  [
    "a message",
    () => {
      const channel = fresh();
      return { channel, act: () => server.publish(channel, "x") };
    },
  ],
  [
    "a message of a WebSocket",
    async () => {
      const channel = fresh();
      const sender = await RawWebSocket.open(server.port, `/ws/${channel}`);
      return { channel, standing: 1, act: async () => sender.sendFrame(1, "x") };
    },
  ],
  [
    "the end of a channel",
    () => {
      const channel = fresh();
      return { channel, act: () => server.request(`/pub?id=${channel}`, { method: "DELETE" }) };
    },
  ],
];

test.each(happenings)("%s rings the other workers", async (_what, prepare) => {
  let bells = 0;
  for (let round = 0; round < ROUNDS && bells === 0; round++) bells = await bellsFor(await prepare());
  expect(bells).toBeGreaterThan(0);
});
