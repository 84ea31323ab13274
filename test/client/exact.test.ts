/**
 * One client on each transport, with two channels each, on the compiled binary with two workers: while
 * workers are killed, the server is reloaded and restarted and connections are cut in the middle of a
 * message, each gets what was published, once and in order. What they publish themselves is published once,
 * too. `SLUICE_ROUNDS=20` makes many rounds of it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Collector } from "./collector.ts";
import { Cutter } from "./cutter.ts";

const ROUNDS = Number(process.env["SLUICE_ROUNDS"] ?? 1);
const TRANSPORTS = ["websocket", "sse", "poll"] as const;
const CHANNELS = ["left", "right"];
const toml = layout('drain_rate = 0\nshutdown_timeout = "2s"', {
  ws:
    "websocket_allow_subscribe = true\nwebsocket_allow_publish = true\nstore_messages = true\n" +
    'ping_message_interval = "1s"',
  ev: 'ping_message_interval = "1s"',
  lp: 'longpolling_connection_ttl = "1s"',
});

let server: RunningServer;
let cutter: Cutter;
let clients: Collector[] = [];
let published = 0;

beforeAll(async () => {
  server = await startServer({ toml });
  cutter = new Cutter(server.port);
  clients = TRANSPORTS.map((transport) => new Collector(cutter.url, transport));
  for (const client of clients) for (const channel of CHANNELS) client.follow(channel);
  await until("all are open", () => clients.every(({ client }) => client.state === "open"));
});
afterAll(async () => {
  for (const { client } of clients) client.close();
  cutter.stop();
  await server.stop();
});

/**
 * By the clients themselves, the first over its WebSocket and the last by HTTP: they send again what they had
 * no answer to.
 */
async function publish(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    published++;
    for (const channel of CHANNELS) {
      const by = clients.at(channel === "left" ? 0 : -1);
      await by?.client.publish(channel, `${channel} ${published}`);
    }
  }
}

const wanted = (channel: string): string[] =>
  Array.from({ length: published }, (_, i) => `${channel} ${i + 1}`);

/** Sooner or later; and nothing more than that. */
async function expectAll(): Promise<void> {
  for (const one of clients) {
    const { transport } = one.client;
    const hasAll = (): boolean => CHANNELS.every((channel) => one.of(channel).length >= published);
    await until(`${transport} has all`, hasAll, 15_000);
    for (const channel of CHANNELS) expect(one.of(channel), transport).toEqual(wanted(channel));
  }
}

const FAULTS: Readonly<Record<string, () => unknown>> = {
  "kill -9 of a worker": async () => {
    const [pid = 0] = await server.workerPids();
    process.kill(pid, "SIGKILL");
  },
  "connections are cut": () => cutter.cut(),
  "connections are cut in the middle of a message": () => {
    cutter.cutAfter = 20;
    setTimeout(() => {
      cutter.cutAfter = Number.POSITIVE_INFINITY;
    }, 100);
  },
  reload: async () => {
    server.process.kill("SIGHUP");
    await until("it was told to go", () => clients.some(({ client }) => client.state !== "open"));
  },
  restart: async () => {
    const { port, folder } = server;
    await server.stop(true);
    server = await startServer({ toml, port, folder });
  },
};

for (let round = 1; round <= ROUNDS; round++)
  for (const [name, fault] of Object.entries(FAULTS))
    test(`${name}${round > 1 ? `, round ${round}` : ""}`, async () => {
      await publish(3);
      const under = fault();
      await publish(5);
      await under;
      await publish(2);
      await expectAll();
      expect(clients.map(({ missed, errors }) => [missed, errors])).toEqual(clients.map(() => [0, []]));
    }, 40_000);
