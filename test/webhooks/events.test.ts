/**
 * What webhooks are told over the compiled binary with two workers: which events, of what, how they are sent.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { type HookEvent, hook, Receiver, SECRET } from "./receiver.ts";
import { Standing } from "./standing.ts";
import { HS_KEY, token } from "./tokens.ts";

const ALL = ["occupied", "vacated", "published", "deleted", "joined", "left"];

const WITH_GRANTS = `
[[location]]
match = "~ ^/who/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
presence = "members"
presence_linger = "0s"
token_issuers = ["app"]
token = ["query:token"]
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:SLUICE_TEST_KEY"
`;

let server: RunningServer;
const everything = new Receiver();
const chats = new Receiver();
const echo = new Receiver();

beforeAll(async () => {
  const port = (await import("../binary/running-server.ts")).freePort();
  const toml = layout(
    `[webhooks]\nvacated_after = "300ms"\n${hook(everything, ALL, 'timeout = "300ms"')}
${hook(chats, ["published"], 'channels = ["chat-*"]\nbatch = "300ms"\nbatch_events = 3', "chats")}
[[webhook]]
name = "self"
url = "http://127.0.0.1:${port}/pub?id=mirror"
events = ["published", "occupied"]
channels = ["mirror", "looped"]
secret = "${SECRET} of its own"
batch = "20ms"`,
    { ev: 'event_ids = "auto"' },
  );
  server = await startServer({
    toml: `${toml}${WITH_GRANTS}`,
    port,
    env: { SLUICE_TEST_KEY: HS_KEY },
  });
}, 20_000);

afterAll(async () => {
  await server.stop();
  for (const receiver of [everything, chats, echo]) {
    receiver.stop();
    expect(receiver.faults).toEqual([]);
  }
  expect(server.log).not.toContain("stack=");
});

beforeEach(() => {
  for (const receiver of [everything, chats]) {
    receiver.batches.length = 0;
    receiver.manner = () => "take";
  }
});

const told = (channel: string): string[] =>
  everything.events
    .filter((event) => event.channel === channel)
    .map(({ event, data }) => (data === undefined ? event : `${event} ${data}`));

test("published and deleted are told in the order of their channel", async () => {
  for (const data of ["1", "2", "3"]) await server.publish("order", data);
  await server.request("/pub?id=order", { method: "DELETE" });
  await server.publish("order", "4");
  const right = ["published 1", "published 2", "published 3", "deleted", "published 4"];
  await until("all", () => told("order").length === right.length);
  expect(told("order")).toEqual(right);
});

test("a publish says what a subscriber would have got, and the position to go on from", async () => {
  await server.publish("full", "text", { "Event-Id": "e1", "Event-Type": "kind" });
  await server.publish("full", new Uint8Array([0xff, 0x00]));
  await until("both", () => everything.events.length === 2);
  const [first, second] = everything.events;
  expect(first).toMatchObject({ channel: "full", data: "text", event_id: "e1", event_type: "kind" });
  expect(Number(first?.["time"])).toBeGreaterThan(Date.now() / 1000 - 20);
  expect(second).toMatchObject({ data_base64: Buffer.from([0xff, 0x00]).toString("base64") });
  expect(first?.id).not.toBe(second?.id);
  const stream = await fetch(`${server.url}/ev/full`, {
    headers: { "Last-Event-ID": String(first?.["position"]) },
  });
  const reader = stream.body?.getReader();
  let text = "";
  while (!text.includes("data:")) text += new TextDecoder().decode((await reader?.read())?.value);
  await reader?.cancel();
  expect(text).toContain(`id: ${second?.["position"]}`);
});

test("the first subscriber and the last are told of, others and a short reconnect are not", async () => {
  const stand = (): Promise<Standing> => Standing.in(server.url, "room");
  const first = await stand();
  const second = await stand();
  await until("occupied", () => told("room").length > 0);
  first.leave();
  second.leave();
  await until("nobody", async () => (await server.statistics("room")).subscribers === 0);
  const back = await stand();
  await Bun.sleep(500);
  expect(told("room")).toEqual(["occupied"]);
  back.leave();
  await until("vacated", () => told("room").length === 2);
  expect(told("room")).toEqual(["occupied", "vacated"]);
});

test("a hook is told of its channels and its events, in batches as large as it says", async () => {
  for (let at = 0; at < 7; at++) await server.publish(at % 2 === 0 ? "chat-1" : "other", String(at));
  await until("its four", () => chats.events.length === 4);
  expect(chats.batches.map(({ events }) => events.length)).toEqual([3, 1]);
  expect(chats.told).toEqual(["0", "2", "4", "6"].map((data) => `published chat-1 ${data}`));
  expect(chats.batches[0]?.webhook).toBe("chats");
});

test("a webhook that publishes on the server itself is told of none of what it published", async () => {
  await server.publish("looped", "once");
  await until(
    "its request was published",
    async () => (await server.statistics("mirror")).published_messages === 1,
  );
  // Somebody else's message in the same channel is told, and makes one more.
  await server.publish("mirror", "by another");
  await until("that as well", async () => (await server.statistics("mirror")).published_messages === 3);
  await Bun.sleep(200);
  expect((await server.statistics("mirror")).published_messages).toBe(3);
  expect(told("mirror")).toHaveLength(1);
});

test("names, ids and data of any bytes make good JSON", async () => {
  const name = 'q"\\\n\u00e9';
  const channel = `${encodeURIComponent(name)}%ff`;
  await server.publish(channel, 'd"\\\n\u0000\u2028', { "Event-Id": 'i"\\' });
  await until("told", () => everything.events.length === 1);
  expect(everything.events[0]).toMatchObject({
    channel: `${name}\ufffd`,
    data: 'd"\\\n\u0000\u2028',
    event_id: 'i"\\',
  });
});

test("members who join and leave, and what they publish, with who they are", async () => {
  const claims = { sub: "anna", info: { color: "red" }, channels: { subscribe: ["*"], publish: ["*"] } };
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/who/members?token=${token(claims)}`);
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  socket.send("hello");
  await until("three", () => told("members").length === 3);
  socket.close();
  await until("and gone", () => told("members").includes("vacated") && told("members").includes("left"));
  const of = (kind: string): HookEvent | undefined =>
    everything.events.find(({ event, channel }) => event === kind && channel === "members");
  expect(told("members").slice(0, 3).toSorted()).toEqual(["joined", "occupied", "published hello"]);
  expect(of("joined")).toMatchObject({ sub: "anna", count: 1, info: { color: "red" } });
  expect(of("published")).toMatchObject({ sub: "anna" });
  expect(of("left")).toMatchObject({ sub: "anna", count: 0 });
});

describe("a receiver that", () => {
  test.each(["500", "redirect", "reset", "hang"] as const)(
    "%ss is told again, in order, and nothing else waits for it",
    async (manner) => {
      let left = 2;
      everything.manner = () => (left-- > 0 ? manner : "take");
      const before = everything.requests;
      await server.publish(`chat-${manner}`, "1");
      await server.publish(`chat-${manner}`, "2");
      await until("the other hook", () => chats.events.length === 2);
      await until("told at last", () => told(`chat-${manner}`).length >= 2);
      expect([...new Set(told(`chat-${manner}`))]).toEqual(["published 1", "published 2"]);
      expect(everything.requests - before).toBeGreaterThanOrEqual(3);
    },
  );

  test("answers without end is believed by its status", async () => {
    everything.manner = () => "endless";
    await server.publish("endless", "1");
    await until("taken", () => told("endless").length === 1);
    everything.manner = () => "take";
    await server.publish("endless", "2");
    await until("and the next", () => told("endless").length === 2);
    expect(told("endless")).toEqual(["published 1", "published 2"]);
  });
});

test("an event that is larger than a batch is sent alone", async () => {
  const large = "x".repeat(300_000);
  for (const data of ["small", large, "small again"]) await server.publish("large", data);
  await until("all three", () => told("large").length === 3);
  expect(everything.events.map(({ data }) => data?.length)).toEqual([5, 300_000, 11]);
});

test("internal channels cannot be reached by name, from anywhere", async () => {
  for (const path of ["/pub?id=*webhooks", "/poll/*webhooks", "/ev/%2awebhooks"]) {
    expect((await server.request(path)).status).toBe(403);
    expect((await server.request(path, { method: "DELETE" })).status).toBeOneOf([403, 405]);
  }
  for (const id of ["*webhooks", "ALL", "*"])
    expect((await server.request(`/channels-stats?id=${id}`)).text).not.toContain("webhooks");
});

test("the metrics say how it stands", async () => {
  expect(await server.metric('sluice_webhook_sent_events_total{webhook="backend"}')).toBeGreaterThan(10);
  await until("nothing waits", async () => (await server.metric("sluice_webhook_backlog_events")) === 0);
  expect(await server.metric('sluice_webhook_failed_requests_total{webhook="backend"}')).toBeGreaterThan(4);
  expect(await server.metric("sluice_webhook_failing")).toBe(0);
});

test("sluice webhook status says how they stand, and fails when one of them does", async () => {
  const status = (...more: string[]) => runSluice(["webhook", "status", "--url", server.url, ...more]);
  const good = await status();
  expect(good.code).toBe(0);
  expect(good.out).toMatch(/^webhook {2}state {2}sent .*\nbackend {2}ok +\d+ /);
  everything.manner = () => "500";
  const before = everything.requests;
  await server.publish("failing", "1");
  await until("it has failed twice", () => everything.requests >= before + 2);
  const bad = await status("--json");
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.out.split("\n")[0] ?? "")).toMatchObject({ webhook: "backend", failing: 1 });
  everything.manner = () => "take";
});
