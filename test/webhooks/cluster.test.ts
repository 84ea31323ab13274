/**
 * Webhooks of a cluster: one node sends for all, another takes over, and what the log carries for them alone
 * arrives.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "../cluster/engine.ts";
import { hook, Receiver } from "./receiver.ts";
import { Standing } from "./standing.ts";
import { HS_KEY, token } from "./tokens.ts";

const receiver = new Receiver();
const nodes: RunningServer[] = [];
let engine: Engine;

beforeAll(async () => {
  if (!hasRedis) return;
  engine = await new Engine().start();
  const toml = (node: string): string =>
    layout(
      `[webhooks]
vacated_after = "300ms"
[cluster]
engine = "redis://127.0.0.1:${engine.port}"
node = "${node}"
[store]
size = "4MiB"
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:SLUICE_TEST_KEY"
${hook(receiver, ["occupied", "vacated", "published", "deleted"])}`,
      { ev: 'event_ids = "auto"', pub: 'token_issuers = ["app"]' },
    );
  for (const node of ["one", "two"])
    nodes.push(await startServer({ toml: toml(node), env: { SLUICE_TEST_KEY: HS_KEY } }));
}, 30_000);

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  receiver.stop();
  await engine?.stop();
  expect(receiver.faults).toEqual([]);
});

const ANNA = token({ sub: "anna", channels: { publish: ["*"] } });

async function publish(node: RunningServer | undefined, channel: string, data: string): Promise<number> {
  const headers = { Authorization: `Bearer ${ANNA}` };
  return (await node?.publish(channel, data, headers))?.status ?? 0;
}

const told = (channel: string): string[] =>
  receiver.events
    .filter((event) => event.channel === channel)
    .map(({ event, data }) => (data === undefined ? event : `${event} ${data}`));

test.skipIf(!hasRedis)("what happens on any node is told once, in order, with who published it", async () => {
  for (let at = 0; at < 10; at++) expect(await publish(nodes[at % 2], "a", `${at}`)).toBe(200);
  await until("all", () => told("a").length >= 10);
  expect(told("a")).toEqual(Array.from({ length: 10 }, (_, at) => `published ${at}`));
  expect(new Set(receiver.events.map((event) => event["sub"]))).toEqual(new Set(["anna"]));
  // The receiver has them a moment before its sender knows.
  const sent = (): Promise<number[]> =>
    Promise.all(nodes.map((node) => node.metric("sluice_webhook_sent_events_total")));
  await until("one node has sent all", async () => (await sent()).includes(10));
  expect(await sent()).toContain(0);
});

test.skipIf(!hasRedis)(
  "a subscriber on either node occupies a channel, and the last of all leaves it",
  async () => {
    const standing = await Promise.all(nodes.map(({ url }) => Standing.in(url, "room")));
    await until("occupied", () => told("room").length > 0);
    await until("both nodes know both", async () => (await nodes[0]?.statistics("room"))?.subscribers === 2);
    standing[0]?.leave();
    await until("one is left", async () => (await nodes[1]?.statistics("room"))?.subscribers === 1);
    await Bun.sleep(400);
    expect(told("room")).toEqual(["occupied"]);
    standing[1]?.leave();
    await until("vacated", () => told("room").length === 2);
    expect(told("room")).toEqual(["occupied", "vacated"]);
  },
);

test.skipIf(!hasRedis)(
  "the node that sends is killed, and the other goes on where it stopped",
  async () => {
    const counts = await Promise.all(nodes.map((node) => node.metric("sluice_webhook_sent_events_total")));
    const sending = (counts[0] ?? 0) > (counts[1] ?? 0) ? 0 : 1;
    const other = nodes[1 - sending];
    receiver.manner = () => "500";
    for (let at = 0; at < 10; at++) expect(await publish(nodes[at % 2], "b", `${at}`)).toBe(200);
    const pids = (await nodes[sending]?.workerPids()) ?? [];
    nodes[sending]?.process.kill("SIGKILL");
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It went with its main.
      }
    }
    receiver.manner = () => "take";
    for (let at = 10; at < 15; at++) expect(await publish(other, "b", `${at}`)).toBe(200);
    await until("all are told", () => new Set(told("b")).size === 15, 15_000);
    expect([...new Set(told("b"))]).toEqual(Array.from({ length: 15 }, (_, at) => `published ${at}`));
    expect(receiver.events.filter(({ event }) => event === "gap")).toEqual([]);
  },
  30_000,
);
