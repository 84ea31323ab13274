/**
 * Pings (push-stream spec 4.9) and the end of a connection's life (4.10) on every transport. Intervals are
 * short and nothing is said about how exact they are: what is tested is which bytes come, in which order, and
 * what does not come.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const MODES = { st: "streaming", ev: "eventsource", lp: "long-polling", ws: "websocket" } as const;
const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
${rest}`;
const each = (prefix: string, rest: string): string =>
  Object.entries(MODES)
    .map(([short, mode]) => location(`${prefix}-${short}`, mode, rest))
    .join("");
const AROUND = 'header_template = "HEADER"\nfooter_template = "BYE"';
const config =
  layout('ping_message_text = "PING"') +
  each(
    "ping",
    `message_template = "~id~:~channel~:~text~:~time~:~tag~;"\nping_message_interval = "100ms"\n` +
      `longpolling_connection_ttl = "700ms"`,
  ) +
  each("ttl", `${AROUND}\nsubscriber_connection_ttl = "300ms"`) +
  each("both", `${AROUND}\nsubscriber_connection_ttl = "20s"\nlongpolling_connection_ttl = "1s"`) +
  each("seldom", 'ping_message_interval = "1200ms"') +
  each("busy", `subscriber_connection_ttl = "1s"`);

let server: RunningServer;
let spaceServer: RunningServer;
let channels = 0;
const fresh = (): string => `k${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
  spaceServer = await startServer({
    toml: layout("", { sub: 'message_template = "~id~:~text~;"\nping_message_interval = "100ms"' }),
  });
});
afterAll(async () => {
  await server.stop();
  await spaceServer.stop();
});

async function open(path: string, port = server.port): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.request(path);
  return connection;
}

describe("pings (4.9)", () => {
  test("streaming: a message of id -1 in the location's template, again and again", async () => {
    const channel = fresh();
    const stream = await open(`/ping-st/${channel}`);
    const ping = "-1::PING:Thu, 01 Jan 1970 00:00:00 GMT:0;";
    await stream.head();
    expect(await stream.chunkedText(2 * ping.length)).toBe(ping + ping);
    expect((await server.statistics(channel)).published_messages).toBe(0);
    stream.close();
  });

  test("streaming: the text is one space unless configured", async () => {
    const stream = await open(`/sub/${fresh()}`, spaceServer.port);
    await stream.head();
    expect(await stream.chunkedText(10)).toBe("-1: ;-1: ;");
    stream.close();
  });

  test("eventsource: a comment without an empty line", async () => {
    const stream = await open(`/ping-ev/${fresh()}`);
    await stream.head();
    expect(await stream.chunkedText(13)).toBe(": \n: -1\n: -1\n");
    stream.close();
  });

  test("WebSocket: 89 00, and nothing else without a subprotocol", async () => {
    const socket = await RawWebSocket.open(server.port, `/ping-ws/${fresh()}`);
    for (let count = 0; count < 2; count++)
      expect((await socket.frame()).bytes).toEqual(Buffer.from([0x89, 0x00]));
    socket.close();
  });

  test("long-polling: never", async () => {
    const poll = await open(`/ping-lp/${fresh()}`);
    expect((await poll.answer()).status).toBe(304);
    poll.close();
  });

  test("the interval begins anew with each live message: a busy stream is not pinged", async () => {
    const channel = fresh();
    const stream = await open(`/seldom-st/${channel}`);
    const socket = await RawWebSocket.open(server.port, `/seldom-ws/${channel}`);
    await standing(server.port, channel, 2);
    const startedMs = performance.now();
    let published = 0;
    while (performance.now() - startedMs < 1800) {
      await server.publish(channel, "x");
      published++;
      await Bun.sleep(50);
    }
    await stream.head();
    expect(await stream.chunkedText(published)).toBe("x".repeat(published));
    for (let count = 0; count < published; count++) expect(await socket.text()).toBe("x");
    // And when nothing comes any more, it is.
    expect(await stream.chunkedText(4)).toBe("PING");
    expect((await socket.frame()).bytes.toString("hex")).toBe("8900");
    for (const connection of [stream, socket]) connection.close();
  });

  test("a position is not touched by pings: the next message has id 1", async () => {
    const channel = fresh();
    const stream = await open(`/ping-st/${channel}`);
    await stream.head();
    await stream.chunked(1);
    await server.publish(channel, "hello");
    let text = "";
    while (!text.includes("hello")) text += await stream.chunkedText(1);
    expect(text).toEndWith(`1:${channel}:hello`);
    stream.close();
  });
});

describe("ttl (4.10)", () => {
  test("streaming and eventsource: footer, end of body, then the connection serves on", async () => {
    for (const [path, body] of [
      ["/ttl-st", "HEADERBYE"],
      ["/ttl-ev", ": HEADER\n: BYE\n"],
    ]) {
      const channel = fresh();
      const stream = await open(`${path}/${channel}`);
      expect((await stream.head()).status).toBe(200);
      expect((await stream.restOfChunks()).toString()).toBe(body ?? "");
      expect((await server.statistics(channel)).subscribers).toBe(0);
      stream.request("/channels-stats");
      expect((await stream.answer()).status).toBe(200);
      stream.close();
    }
  });

  test("WebSocket: footer frame, close 1001, end of the connection (A.2)", async () => {
    const channel = fresh();
    const socket = await RawWebSocket.open(server.port, `/ttl-ws/${channel}`);
    expect(await socket.text()).toBe("HEADER");
    expect((await socket.connection.untilEnd()).toString("hex")).toBe("8103425945880203e9");
    expect((await server.statistics(channel)).subscribers).toBe(0);
  });

  test.each([["/ttl-lp"], ["/both-lp"]])(
    "%s: 304, Last-Modified now, Etag of tag 0, no templates",
    async (path) => {
      const channel = fresh();
      const poll = await open(`${path}/${channel}`);
      const answer = await poll.answer();
      expect(answer.statusLine).toBe("HTTP/1.1 304 Not Modified");
      expectAntiCache(answer);
      expect(answer.fields.get("etag")).toBe('W/"0"');
      expect(answer.fields.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(answer.fields.get("content-length")).toBe("0");
      const agoMs = Date.now() - Date.parse(answer.fields.get("last-modified") ?? "");
      expect(Math.abs(agoMs)).toBeLessThan(30_000);
      expect((await server.statistics(channel)).subscribers).toBe(0);
      poll.request(`/channels-stats?id=${channel}`);
      expect((await poll.answer()).status).toBe(200);
      poll.close();
    },
  );

  test("traffic does not make a life longer", async () => {
    const channel = fresh();
    const stream = await open(`/busy-st/${channel}`);
    const socket = await RawWebSocket.open(server.port, `/busy-ws/${channel}`);
    await standing(server.port, channel, 2);
    let published = 0;
    const publishing = (async () => {
      while ((await server.statistics(channel)).subscribers > 0) {
        await server.publish(channel, "x");
        published++;
        await Bun.sleep(20);
      }
    })();
    await stream.head();
    expect((await stream.restOfChunks()).toString()).toMatch(/^x+$/);
    expect((await socket.connection.untilEnd()).toString("hex")).toMatch(/^(810178)+880203e9$/);
    await publishing;
    expect(published).toBeGreaterThan(1);
    stream.close();
  });

  test("an answered long poll leaves no timer behind: the next request is not cut", async () => {
    const channel = fresh();
    const poll = await open(`/both-lp/${channel}`);
    await standing(server.port, channel);
    await server.publish(channel, "hello");
    expect((await poll.answer()).body.toString()).toBe("HEADERhelloBYE");
    const held = fresh();
    poll.request(`/both-st/${held}`);
    await poll.head();
    expect(await poll.chunkedText(6)).toBe("HEADER");
    // Longer than the poll's own life.
    await Bun.sleep(1300);
    await server.publish(held, "still here");
    expect(await poll.chunkedText(10)).toBe("still here");
    poll.close();
  });

  test("who left before his time is gone once", async () => {
    const channel = fresh();
    const stream = await open(`/ttl-st/${channel}`);
    const stays = await open(`/sub/${channel}`);
    await standing(server.port, channel, 2);
    stream.close();
    await until("one is gone", async () => (await server.statistics(channel)).subscribers === 1);
    await Bun.sleep(400);
    expect((await server.statistics(channel)).subscribers).toBe(1);
    stays.close();
  });
});

test("polls of a location with pings and ttl are answered at once", async () => {
  const headers = { "X-Nginx-PushStream-Mode": "polling" };
  expect((await ask(server.port, `/ttl-st/${fresh()}`, { headers })).status).toBe(304);
});
