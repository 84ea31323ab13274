/**
 * The events channel over HTTP, with two workers: push-stream spec 7, every row of A.3, and who may stand in
 * it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const ALLOWED = "allow_connections_to_events_channel = true";
const LINES = 'message_template = "~event-type~ ~text~\\n"';
const MODES = {
  st: "streaming",
  ev: "eventsource",
  lp: "long-polling",
  po: "polling",
  ws: "websocket",
} as const;
const config =
  layout('events_channel_id = "X"', { ws: `websocket_allow_publish = true\n${ALLOWED}` }) +
  Object.entries(MODES)
    .map(
      ([name, mode]) =>
        `[[location]]\nmatch = "~ ^/x-${name}/(.*)$"\nsubscriber = "${mode}"\n` +
        `channels_path = "$1"\n${ALLOWED}\n${LINES}\n`,
    )
    .join("");

let server: RunningServer;
let channels = 0;
const opened: { close(): void }[] = [];
const fresh = (): string => `e${++channels}`;
const get = (path: string) => ask(server.port, path);
const publish = (id: string, body = "x") => ask(server.port, `/pub?id=${id}`, { method: "POST", body });
const remove = (id: string) => ask(server.port, `/pub?id=${id}`, { method: "DELETE" });

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

// Whoever leaves does so a moment later, which is an event: the next test is not to count it as its own. Whom
// a failed test left behind would keep all that follow waiting.
afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  await until("everybody has left", async () => (await server.summary()).subscribers === 0);
});

/** What was told of these channels, in order, as "channel_created a"; the form of each is checked. */
async function told(...names: readonly string[]): Promise<string[]> {
  const lines = (await get("/x-po/X.b100000")).body.toString().split("\n").slice(0, -1);
  const events = lines.map(
    (line) => /^([a-z]+_[a-z]+) \{"type": "\1", "channel": "([^"]*)"\}$/.exec(line) ?? [line],
  );
  return events
    .filter(([, , name]) => name === undefined || names.includes(name))
    .map(([, what, name]) => `${what} ${name}`);
}

async function toldAtLast(expected: readonly string[], ...names: readonly string[]): Promise<void> {
  // While workers are replaced nobody may answer.
  const now = (): Promise<string[]> => told(...names).catch(() => []);
  await until(expected.join(", "), async () => (await now()).length >= expected.length);
  expect(await told(...names)).toEqual([...expected]);
}

async function open(path: string): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  opened.push(connection);
  connection.request(path);
  return connection;
}

async function openSocket(path: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(server.port, path);
  opened.push(socket);
  return socket;
}

describe("sequences (A.3)", () => {
  test("a publish to a new channel", async () => {
    const [a, b] = [fresh(), fresh()];
    await publish(`${a}/${b}`);
    await publish(a);
    expect(await told(a, b)).toEqual([`channel_created ${a}`, `channel_created ${b}`]);
  });

  test("a refused publish has made the channels before the refusal (2.1)", async () => {
    const [a, b, c] = [fresh(), fresh(), fresh()];
    expect((await publish(a, "")).status).toBe(400);
    expect((await publish(`${b}/X/${c}`)).status).toBe(403);
    expect(await told(a, b, c)).toEqual([`channel_created ${a}`, `channel_created ${b}`]);
  });

  test("polling for a new channel makes none", async () => {
    const a = fresh();
    expect((await get(`/poll/${a}`)).status).toBe(304);
    expect(await told(a)).toEqual([]);
  });

  test("a stream in an existing channel", async () => {
    const a = fresh();
    await publish(a);
    const stream = await open(`/sub/${a}`);
    await toldAtLast([`channel_created ${a}`, `client_subscribed ${a}`], a);
    stream.close();
    await toldAtLast([`channel_created ${a}`, `client_subscribed ${a}`, `client_unsubscribed ${a}`], a);
  });

  test.each(["st", "ev", "lp", "ws"] as const)("two new channels, and the disconnect: %s", async (mode) => {
    const [a, b] = [fresh(), fresh()];
    const both = mode === "ws" ? await openSocket(`/ws/${a}/${b}`) : await open(`/x-${mode}/${a}/${b}`);
    const came = ["channel_created", "client_subscribed"].flatMap((what) => [`${what} ${a}`, `${what} ${b}`]);
    await toldAtLast(came, a, b);
    both.close();
    await toldAtLast([...came, `client_unsubscribed ${a}`, `client_unsubscribed ${b}`], a, b);
  });

  test("a waiting long poll that is answered", async () => {
    const a = fresh();
    const poll = await open(`/lp/${a}`);
    await standing(server.port, a);
    await publish(a, "news");
    expect((await poll.answer()).body.toString()).toBe("news");
    await toldAtLast([`channel_created ${a}`, `client_subscribed ${a}`, `client_unsubscribed ${a}`], a);
  });

  test("DELETE with subscribers in both workers: all leave before the channel is destroyed", async () => {
    const a = fresh();
    await Promise.all(Array.from({ length: 6 }, () => open(`/sub/${a}`)));
    await standing(server.port, a, 6);
    expect((await remove(a)).status).toBe(200);
    const life = [
      "channel_created",
      ...Array(6).fill("client_subscribed"),
      ...Array(6).fill("client_unsubscribed"),
    ];
    await toldAtLast(
      [...life, "channel_destroyed"].map((what) => `${what} ${a}`),
      a,
    );
  });

  test("20 subscribers on 20 channels: 40 events", async () => {
    const names = Array.from({ length: 20 }, fresh);
    await Promise.all(names.map((name) => open(`/sub/${name}`)));
    for (const name of names)
      await toldAtLast([`channel_created ${name}`, `client_subscribed ${name}`], name);
  });
});

describe("who stands there", () => {
  const NOT_ALLOWED = "Subscription to events channel is not allowed.";

  test.each(["sub", "ev", "lp", "poll"])("/%s: refused where it is not allowed", async (mode) => {
    const a = fresh();
    for (const path of ["X", `${a}/X`, "X.b5"]) {
      expectHeaderOnly(await get(`/${mode}/${path}`), { status: 403, explain: NOT_ALLOWED });
    }
    expect(await told(a)).toEqual([]);
  });

  test.each([
    ["x-st", " old\n", (line: string) => line],
    ["x-ev", ": \ndata:  old\n\n", (line: string) => `event: client_subscribed\ndata: ${line}\n`],
  ] as const)("/%s: the first message of X/other is that it came to other", async (mode, old, format) => {
    const a = fresh();
    await publish(a, "old");
    const stream = await open(`/${mode}/X/${a}.b1`);
    const expected = old + format(`client_subscribed {"type": "client_subscribed", "channel": "${a}"}\n`);
    await stream.head();
    expect(await stream.chunkedText(expected.length)).toBe(expected);
  });

  test("a stream hears what both workers tell", async () => {
    const stream = await open("/x-st/X");
    await stream.head();
    await standing(server.port, "X");
    for (let count = 0; count < 8; count++) {
      const a = fresh();
      await publish(a);
      const line = `channel_created {"type": "channel_created", "channel": "${a}"}\n`;
      expect(await stream.chunkedText(line.length)).toBe(line);
    }
  });

  test("a waiting long poll is answered with one event", async () => {
    const a = fresh();
    const poll = await open("/x-lp/X");
    await standing(server.port, "X");
    await publish(`${a}/${fresh()}`);
    expect((await poll.answer()).body.toString()).toBe(
      `channel_created {"type": "channel_created", "channel": "${a}"}\n`,
    );
  });

  test("a WebSocket that may publish is heard in its other channels only", async () => {
    const a = fresh();
    const socket = await openSocket(`/ws/X/${a}`);
    expect(await socket.text()).toBe(`{"type": "client_subscribed", "channel": "${a}"}`);
    const before = (await server.statistics("X")).published_messages;
    socket.sendFrame(1, "hello");
    expect(await socket.text()).toBe("hello");
    expect([
      (await server.statistics(a)).published_messages,
      (await server.statistics("X")).published_messages,
    ]).toEqual([1, before]);
    socket.close();
    // Whoever stands in the events channel hears that, too.
    await toldAtLast(
      ["channel_created", "client_subscribed", "client_unsubscribed"].map((what) => `${what} ${a}`),
      a,
    );
    const alone = await openSocket("/ws/X");
    alone.sendFrame(1, "to nobody");
    alone.sendFrame(9, "still there?");
    expect((await alone.frame()).payload.toString()).toBe("still there?");
  });

  test("a WebSocket is refused where it is not allowed", async () => {
    const other = await startServer({ toml: layout('events_channel_id = "X"'), workers: 1 });
    const socket = await RawWebSocket.open(other.port, "/ws/X");
    expect((await socket.frame()).payload.subarray(2).toString()).toBe(
      `{"http_status": 403, "explain":"${NOT_ALLOWED}"}`,
    );
    socket.close();
    await other.stop();
  });
});

describe("the publisher's side", () => {
  const READ_ONLY = { status: 403, explain: "Only internal routines can change events channel." };

  test.each(["POST", "PUT", "DELETE"])("%s is refused, alone and among others", async (method) => {
    const before = await server.statistics("X");
    for (const id of ["X", "X.b3", "/X"]) {
      expectHeaderOnly(await ask(server.port, `/pub?id=${id}`, { method, body: "x" }), READ_ONLY);
    }
    expect(await server.statistics("X")).toEqual(before);
    const a = fresh();
    await publish(a);
    expectHeaderOnly(await ask(server.port, `/pub?id=${a}/X`, { method, body: "x" }), READ_ONLY);
    expect((await get(`/pub?id=${a}`)).status).toBe(200);
  });

  test("GET tells of it like of any channel", async () => {
    const { published_messages: published, stored_messages: stored } = await server.statistics("X");
    expectJson(await get("/pub?id=X"), channelInfo("X", published, stored));
    expect((await get("/channels-stats?id=ALL")).body.toString()).toContain('"channel": "X"');
  });

  test("events count neither as published nor as stored in the summary", async () => {
    const other = await startServer({ toml: layout('events_channel_id = "X"'), workers: 1 });
    await other.publish("a", "x");
    await other.publish("b", "");
    expect(await other.summary()).toMatchObject({ channels: 3, published_messages: 1, stored_messages: 1 });
    expect(await other.statistics("X")).toMatchObject({ published_messages: 2, stored_messages: 2 });
    await other.stop();
  });
});

describe("processes", () => {
  test("an idle channel is collected: destroyed; a ttl that runs out: unsubscribed", async () => {
    const top = 'events_channel_id = "X"\n[store]\nchannel_inactivity_time = "1s"';
    const toml = `${layout(top, { sub: 'subscriber_connection_ttl = "300ms"' })}
[[location]]
match = "~ ^/x-po/(.*)$"
subscriber = "polling"
channels_path = "$1"
${ALLOWED}
message_template = "~text~\\n"
`;
    const other = await startServer({ toml });
    await other.request("/sub/a");
    const lines = async () => (await other.request("/x-po/X.b10")).text.split("\n").slice(0, -1);
    await until("four events", async () => (await lines()).length === 4);
    expect((await lines()).map((line) => JSON.parse(line).type)).toEqual([
      "channel_created",
      "client_subscribed",
      "client_unsubscribed",
      "channel_destroyed",
    ]);
    expect(await other.statistics("X")).toMatchObject({ published_messages: 4 });
    await other.stop();
  });

  test("a reload sends its subscribers away, events go on; a killed worker's end", async () => {
    const [a, b] = [fresh(), fresh()];
    const before = await server.workerPids();
    const stream = await open(`/sub/${a}`);
    await standing(server.port, a);
    server.process.kill("SIGHUP");
    const life = ["channel_created", "client_subscribed", "client_unsubscribed"];
    await toldAtLast(
      life.map((what) => `${what} ${a}`),
      a,
    );
    await until("new workers", async () => {
      const now = await server.workerPids();
      return now.length === before.length && now.every((pid) => !before.includes(pid));
    });
    stream.close();
    await open(`/sub/${b}`);
    await standing(server.port, b);
    for (const pid of await server.workerPids()) process.kill(pid, "SIGKILL");
    await toldAtLast(
      life.map((what) => `${what} ${b}`),
      b,
    );
  });
});
