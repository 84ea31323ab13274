/**
 * What a page sees of the client, on every transport, against the compiled binary: tokens, gaps, deletions,
 * channels that come and go.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Sluice, SluiceError } from "../../src/client/entry.ts";
import type { Message, Options, StateChange, TransportName } from "../../src/client/sluice.d.ts";
import { nowSec, SECRET, withSecret } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Collector } from "./collector.ts";
import { Cutter } from "./cutter.ts";

const GUARDED = `
token = ["protocol", "header"]
token_issuers = ["app"]`;
const toml = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
clock_skew = 0
${layout(
  "[store]\nmax_messages_stored_per_channel = 4\n[limits]\nmax_channel_id_length = 30\n" +
    "max_channels_per_request = 5",
  {
    ws: `websocket_allow_subscribe = true
websocket_allow_publish = true
store_messages = true
ping_message_interval = "200ms"`,
    lp: 'longpolling_connection_ttl = "1s"',
  },
)}
${["ws", "ev", "lp"]
  .map(
    (path, i) => `
[[location]]
match = "~ ^/token/${path}/(.*)$"
subscriber = "${["websocket", "eventsource", "long-polling"][i]}"
channels_path = "$1"
${path === "ws" ? "websocket_allow_subscribe = true" : ""}
${GUARDED}`,
  )
  .join("\n")}
[[location]]
match = "~ ^/fixed/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
`;

let server: RunningServer;
const clients: Sluice[] = [];
let names = 0;
const fresh = (): string => `c${++names}`;

beforeAll(async () => {
  process.env["HUB_KEY"] = SECRET;
  // exact.test.ts has the other listener.
  server = await startServer({ toml, args: ["--listener", "wire"] });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.stop();
});

function collector(transport: TransportName, options: Options = {}, path = ""): Collector {
  const made = new Collector(server.url + path, transport, options);
  clients.push(made.client);
  return made;
}

const isOpen = (one: Collector): Promise<void> => until("it is open", () => one.client.state === "open");

describe.each(["websocket", "sse", "poll"] as const)("%s", (transport) => {
  test("channels come and go while it is open, and each goes on where it was", async () => {
    const [a, b] = [fresh(), fresh()];
    const one = collector(transport);
    one.follow(a);
    await isOpen(one);
    for (let n = 1; n <= 3; n++) await server.publish(b, `b${n}`);
    const got: string[] = [];
    const positions: string[] = [];
    const subscription = one.client.subscribe(b, { last: 2 }, ({ data, position }) => {
      got.push(data);
      positions.push(position);
    });
    await until("the old ones", () => got.length === 2);
    await server.publish(a, "a1");
    await server.publish(b, "b4");
    await until("the new one", () => got.length === 3 && one.of(a).length === 1);
    subscription.unsubscribe();
    await until("it has left", async () => (await server.statistics(b)).subscribers === 0);
    await server.publish(b, "b5");
    one.client.subscribe(b, { position: positions[1] ?? "" }, ({ data }) => got.push(data));
    await until("what it missed", () => got.length === 5);
    expect(got).toEqual(["b2", "b3", "b4", "b4", "b5"]);
    await server.publish(a, "a2");
    await until("the other was there all the time", () => one.of(a).length === 2);
    expect(one.missed).toBe(0);
  });

  test("tells what is gone, and that a channel was deleted, and goes on", async () => {
    const a = fresh();
    const one = collector(transport);
    await server.publish(a, "a1");
    one.follow(a);
    await isOpen(one);
    await server.publish(a, "a2");
    await until("a2", () => one.of(a).length === 1);
    const subscription = one.client.subscribe(a);
    const { position } = subscription;
    one.client.close();
    for (let n = 3; n <= 9; n++) await server.publish(a, `a${n}`);
    const again = collector(transport);
    let missed = 0;
    const got: string[] = [];
    again.client
      .subscribe(a, { position }, ({ data }) => got.push(data))
      .on("gap", (gap) => {
        expect(gap.channel).toBe(a);
        missed += gap.missed ?? Number.NaN;
      })
      .on("deleted", ({ data }) => got.push(data));
    await until("those that are stored", () => got.at(-1) === "a9");
    // Some of the first three are here yet where a worker was still to look at them.
    expect(got).toEqual(["a3", "a4", "a5", "a6", "a7", "a8", "a9"].filter((text) => got.includes(text)));
    expect(got.slice(-4)).toEqual(["a6", "a7", "a8", "a9"]);
    expect(missed).toBe(7 - got.splice(0).length);
    // A deletion is told to those who stand there: a poll does between two answers, in a moment.
    await until("it to stand there", async () => (await server.statistics(a)).subscribers > 0);
    await server.request(`/pub?id=${a}`, { method: "DELETE", body: "it is over" });
    await until("the deletion", () => got.includes("it is over"));
    for (let n = 1; n <= 3; n++) await server.publish(a, `new${n}`);
    await until("what comes next", () => got.length === 4);
    expect(got).toEqual(["it is over", "new1", "new2", "new3"]);
  });

  test("a bad token ends it with an error where there is no other, else another is asked for", async () => {
    const a = fresh();
    const one = collector(transport, { token: "nonsense" }, "/token");
    one.follow(a);
    await until("it is told", () => one.errors.length === 1);
    expect(one.errors[0]).toMatchObject({ name: "SluiceError", status: 401 });
    expect(one.client.state).toBe("idle");
    let asked = 0;
    const good = await withSecret({ sub: "x", exp: nowSec() + 600, channels: { subscribe: [a] } });
    const other = collector(transport, { token: () => (++asked === 1 ? "nonsense" : good) }, "/token");
    other.follow(a);
    await isOpen(other);
    expect(asked).toBe(2);
  });

  test("a channel that is refused costs none of the others", async () => {
    const [a, b] = [fresh(), fresh()];
    const one = collector(transport);
    for (const name of [a, "x".repeat(40), b]) one.follow(name);
    await isOpen(one);
    expect(one.errors.map((error) => error instanceof SluiceError && error.status)).toEqual([400]);
    one.follow("y".repeat(40));
    await until("the other is told", () => one.errors.length === 2);
    await isOpen(one);
    await server.publish(a, "a1");
    await server.publish(b, "b1");
    await until("both are there", () => one.of(a).length + one.of(b).length === 2);
  });

  test("who takes his messages slowly holds none up, and gets them all", async () => {
    const [slow, quick] = [fresh(), fresh()];
    const one = collector(transport, { maxWaiting: 2 });
    one.follow(quick);
    const subscription = one.client.subscribe(slow);
    await isOpen(one);
    const got: string[] = [];
    for (let n = 1; n <= 4; n++) await server.publish(slow, String(n));
    await server.publish(quick, "here");
    await until("the other goes on", () => one.of(quick).length === 1);
    await until("it has left", async () => (await server.statistics(slow)).subscribers === 0);
    for await (const { data } of subscription) if (got.push(data) === 4) break;
    expect(got).toEqual(["1", "2", "3", "4"]);
    expect(one.missed).toBe(0);
  });
});

test("the next token is asked for in time, and nothing is lost by it", async () => {
  const lives = async (transport: TransportName): Promise<void> => {
    const a = fresh();
    let asked = 0;
    const token = (): Promise<string> =>
      withSecret({ sub: `s${++asked}`, exp: nowSec() + 2, channels: { subscribe: [a], publish: [] } });
    const one = collector(transport, { token }, "/token");
    one.follow(a);
    await isOpen(one);
    let sent = 0;
    const end = Date.now() + 3500;
    while (Date.now() < end) {
      await server.publish(a, String(++sent));
      await Bun.sleep(100);
    }
    await until("all", () => one.of(a).length === sent);
    expect(one.of(a)).toEqual(Array.from({ length: sent }, (_, i) => String(i + 1)));
    expect(asked).toBeGreaterThan(2);
    expect(one.errors).toEqual([]);
  };
  await Promise.all([lives("websocket"), lives("sse"), lives("poll")]);
}, 15_000);

test("the transport that works is found and remembered; pages that come back go on", async () => {
  const a = fresh();
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const visit = async (options: Options): Promise<[Sluice, string[], StateChange[]]> => {
    const client = new Sluice(server.url, { storage, maxDelay: 200, ...options });
    clients.push(client);
    const got: string[] = [];
    const states: StateChange[] = [];
    client.on("state", (change) => states.push(change));
    client.subscribe(a, ({ data }) => got.push(data));
    await until("it is open", () => client.state === "open");
    return [client, got, states];
  };
  const paths = { websocket: "nowhere/" };
  const [first, , states] = await visit({ paths });
  expect(first.transport).toBe("sse");
  expect(states.map(({ state }) => state)).toEqual(["connecting", "waiting", "connecting", "open"]);
  first.close();
  await server.publish(a, "while it was away");
  const [second, got] = await visit({ paths });
  await until("it goes on", () => got.length === 1);
  second.close();
  const [third, , quick] = await visit({ paths });
  // It begins with what worked for the page before.
  expect(quick.map(({ state }) => state)).toEqual(["connecting", "open"]);
  expect(third.transport).toBe("sse");
});

test.each(["websocket", "sse"] as const)(
  "by %s more channels than a connection may have cost the newest",
  async (transport) => {
    const one = collector(transport);
    const all = Array.from({ length: 8 }, fresh);
    for (const name of all.slice(0, 5)) one.follow(name);
    await isOpen(one);
    for (const name of all.slice(5)) one.follow(name);
    await until("three are told", () => one.errors.length === 3);
    await isOpen(one);
    for (const name of all) await server.publish(name, "x");
    await until("the others have theirs", () => all.filter((name) => one.of(name).length === 1).length === 5);
    expect(all.filter((name) => one.of(name).length === 1)).toEqual(all.slice(0, 5));
  },
);

test("no token for the moment: asked again, and so is a server that says what is no frame", async () => {
  const a = fresh();
  let asked = 0;
  const good = await withSecret({ sub: "x", exp: nowSec() + 600, channels: { subscribe: [a] } });
  const token = (): string => {
    if (++asked < 3) throw new Error("not now");
    return good;
  };
  const one = collector("sse", { token, maxDelay: 100 }, "/token");
  one.follow(a);
  await isOpen(one);
  expect([asked, one.client.transport]).toEqual([3, "sse"]);
  let visits = 0;
  const garbler = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, at) => (at.upgrade(request) ? undefined : new Response()),
    websocket: {
      open: (socket) => void socket.send(++visits === 3 ? '{"kind":"hello","channels":[]}' : "{nonsense"),
      message: () => undefined,
    },
  });
  const other = new Collector(garbler.url.origin, "websocket", { maxDelay: 50 });
  other.follow(a);
  await isOpen(other);
  expect(other.states.filter(({ reason }) => reason === "what came is no frame").length).toBe(2);
  other.client.close();
  await garbler.stop(true);
  expect(() => other.follow(fresh())).toThrow("the client is closed");
});

test("a location that lets no channels be added gets another connection", async () => {
  const [a, b] = [fresh(), fresh()];
  const one = collector("websocket", {}, "/fixed");
  one.follow(a);
  await isOpen(one);
  one.follow(b);
  await until("both stand", async () => (await server.statistics(b)).subscribers === 1);
  await server.publish(a, "a1");
  await server.publish(b, "b1");
  await until("both", () => one.of(a).length + one.of(b).length === 2);
});

test.each(["websocket", "sse"] as const)(
  "by %s a message whose answer is lost is sent again, and published once",
  async (transport) => {
    const a = fresh();
    const cutter = new Cutter(server.port);
    const one = new Collector(cutter.url, transport, { maxDelay: 100 });
    one.follow(a);
    await isOpen(one);
    cutter.lostAnswers = 2;
    const { duplicate, position } = await one.client.publish(a, "once");
    expect(duplicate).toBeTrue();
    await one.client.publish(a, "twice");
    await until("both", () => one.of(a).length === 2);
    expect([one.of(a), (await server.statistics(a)).published_messages]).toEqual([["once", "twice"], 2]);
    expect(position).toMatch(/^[0-9a-z]+-\d+$/);
    one.client.close();
    cutter.stop();
  },
);

test("bytes that are no text, event id and type, and what a listener throws", async () => {
  const a = fresh();
  const one = collector("websocket");
  const got: Message[] = [];
  const subscription = one.client.subscribe(a, (message) => got.push(message));
  await isOpen(one);
  await server.publish(a, Uint8Array.of(0xff, 0, 65), { "Event-Id": "e1", "Event-Type": "t1" });
  await server.publish(a, '{"n":1}');
  await until("both", () => got.length === 2);
  const [binary, json] = got;
  expect([...(binary?.bytes ?? [])]).toEqual([0xff, 0, 65]);
  expect(binary).toMatchObject({ data: "\ufffd\0A", eventId: "e1", eventType: "t1", channel: a, id: 1 });
  expect(json?.json<{ n: number }>()).toEqual({ n: 1 });
  expect(json?.eventId).toBeNull();
  expect(subscription.position).toBe(json?.position ?? "");
});

test("a traceparent is published by the connection and by HTTP, and comes with the message", async () => {
  const a = fresh();
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const one = collector("websocket");
  const got: Message[] = [];
  one.client.subscribe(a, (message) => got.push(message));
  await one.client.publish(a, "by HTTP", { traceparent });
  await isOpen(one);
  await one.client.publish(a, "by the connection", { traceparent });
  await one.client.publish(a, "none");
  await until("all", () => got.at(-1)?.data === "none");
  const traces = new Map(got.map(({ data, traceparent: its }) => [data, its]));
  expect([traces.get("by the connection"), traces.get("none")]).toEqual([traceparent, null]);
  const { text } = await server.request(`/lp/${a}.b3?sluice_positions=`);
  expect(text.split(`"traceparent":"${traceparent}"`)).toHaveLength(3);
});
