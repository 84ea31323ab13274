/**
 * What a publisher location answers: push-stream spec 0.6, 0.7, 2.1 to 2.3, 2.5, 2.6 and A.2, over raw
 * sockets on the compiled binary.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  channelInfo,
  expectAntiCache,
  expectGroup,
  expectHeaderOnly,
  expectJson,
} from "../binary/answer-checks.ts";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const publisher = (path: string, rest: string): string => `
[[location]]
match = "= ${path}"
channels_path = "$arg_id"
${rest}`;

const config =
  layout("[limits]\nmax_channel_id_length = 12\nmax_channels_per_request = 5") +
  publisher("/normal", 'publisher = "normal"\nstore_messages = true') +
  publisher("/quiet", 'publisher = "normal"\nstore_messages = true\nchannel_info_on_publish = false') +
  publisher("/live", 'publisher = "normal"');

let server: RunningServer;
let channels = 0;
const fresh = (): string => `c${++channels}`;
const send = (path: string, request: RawRequest = {}) => ask(server.port, path, request);
const publish = (channel: string, path = "/pub") =>
  send(`${path}?id=${channel}`, { method: "POST", body: "hello" });

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const ADMIN = "GET, POST, PUT, DELETE";
const NORMAL = "GET, POST, PUT";

describe("methods (2.2)", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["HEAD", "/pub", ADMIN],
    ["PATCH", "/pub", ADMIN],
    ["TRACE", "/pub", ADMIN],
    ["HEAD", "/normal", NORMAL],
    ["PATCH", "/normal", NORMAL],
    ["DELETE", "/normal", NORMAL],
    ["OPTIONS", "/pub", null],
    ["OPTIONS", "/normal", null],
  ];
  test.each(cases)("%s %s", async (method, path, allow) => {
    // OPTIONS and the method check come before the channel id is looked at.
    for (const query of ["", "?id=ALL", "?id=m1"]) {
      const answer = await send(path + query, { method });
      expectHeaderOnly(answer, { status: allow === null ? 200 : 405, allow });
      expectAntiCache(answer);
    }
    expect((await send("/channels-stats?id=m1")).status).toBe(404);
  });

  test("POST and PUT are the same", async () => {
    const channel = fresh();
    for (const [path, count] of [
      ["/pub", 1],
      ["/normal", 3],
    ] as const) {
      const post = await send(`${path}?id=${channel}`, { method: "POST", body: "a" });
      expectJson(post, channelInfo(channel, count, count));
      const put = await send(`${path}?id=${channel}`, { method: "PUT", body: "b" });
      expectJson(put, channelInfo(channel, count + 1, count + 1));
    }
  });
});

describe("refusals (0.7, 2.3)", () => {
  const NO_ID = { status: 400, explain: "No channel id provided." };
  const FORBIDDEN = { status: 403, explain: "Channel id not authorized for this method." };
  const TOO_LARGE = { status: 400, explain: "Channel id is too large." };
  const TOO_MANY = { status: 400, explain: "Too many channels in one request." };
  const long = "x".repeat(13);
  const cases = [
    ["", NO_ID],
    ["?", NO_ID],
    ["?id=", NO_ID],
    ["?idx=a", NO_ID],
    ["?id=ALL", FORBIDDEN],
    ["?id=a/ALL", FORBIDDEN],
    ["?id=ALL.b3", FORBIDDEN],
    ["?id=*", FORBIDDEN],
    ["?id=a*b", FORBIDDEN],
    ["?id=%2a", FORBIDDEN],
    [`?id=${long}`, TOO_LARGE],
    [`?id=a/${long}.b3`, TOO_LARGE],
    // The first one in path order decides, and in one id the name comes before its length.
    [`?id=${long}/ALL`, TOO_LARGE],
    [`?id=ALL/${long}`, FORBIDDEN],
    [`?id=${long}*`, FORBIDDEN],
    ["?id=a/b/c/d/e/f", TOO_MANY],
  ] as const;

  test.each(cases)("%s", async (query, refused) => {
    const connection = await RawConnection.open(server.port);
    // One connection for all: none of these closes it, and a body that is not wanted does not get in the way
    // of the next request.
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      const body = method === "GET" ? {} : { body: "GET / HTTP/1.1\r\n\r\n" };
      connection.request(`/pub${query}`, { method, ...body });
      const answer = await connection.answer();
      expectHeaderOnly(answer, refused);
      expectAntiCache(answer);
    }
    expect(connection.ended).toBeFalse();
    connection.close();
  });

  test("an id as long as the limit is taken, its backtrack not counted", async () => {
    const channel = "y".repeat(12);
    expectJson(await publish(`${channel}.b10`), channelInfo(channel, 1, 1));
  });

  test.each([
    ["with Content-Length: 0", "Content-Length: 0\r\n"],
    ["without a length", ""],
    ["chunked", "Transfer-Encoding: chunked\r\n"],
  ])("an empty message %s is refused after its channel was made", async (_name, field) => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    const body = field.startsWith("Transfer") ? "0\r\n\r\n" : "";
    connection.send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${field}\r\n${body}`);
    const answer = await connection.answer();
    expectHeaderOnly(answer, { status: 400, explain: "Empty post requests are not allowed." });
    expectAntiCache(answer);
    connection.request(`/pub?id=${channel}`);
    expectJson(await connection.answer(), channelInfo(channel, 0, 0));
    connection.close();
  });

  test("channels before the refused one exist afterwards (2.1)", async () => {
    const [first, last] = [fresh(), fresh()];
    expect((await publish(`${first}/ALL/${last}`)).status).toBe(403);
    expectJson(await send(`/pub?id=${first}`), channelInfo(first, 0, 0));
    expect((await send(`/pub?id=${last}`)).status).toBe(404);
  });
});

describe("publish (2.3, 2.5)", () => {
  test("the answer tells of the channel, the new message included", async () => {
    const channel = fresh();
    expectJson(await publish(channel), channelInfo(channel, 1, 1));
    expectJson(await publish(channel), channelInfo(channel, 2, 2));
  });

  test("info off: a head alone", async () => {
    const channel = fresh();
    const answer = await publish(channel, "/quiet");
    expectHeaderOnly(answer, { status: 200 });
    expectAntiCache(answer);
    expectJson(await send(`/quiet?id=${channel}`), channelInfo(channel, 1, 1));
  });

  test("store off: counted as published, not as stored", async () => {
    const channel = fresh();
    expectJson(await publish(channel, "/live"), channelInfo(channel, 1, 0));
    expectJson(await publish(channel), channelInfo(channel, 2, 1));
  });

  test("subscribers are counted", async () => {
    const channel = fresh();
    const subscriber = await RawConnection.open(server.port);
    subscriber.request(`/ev/${channel}`);
    await subscriber.head();
    expectJson(await publish(channel), channelInfo(channel, 1, 1, 1));
    subscriber.close();
    await until("gone", async () => (await server.statistics(channel)).subscribers === 0);
  });

  test("several channels: each gets the message, the answer is a group in request order", async () => {
    const [first, second] = [fresh(), fresh()];
    await publish(first);
    expectGroup(await publish(`${second}/${first}`), [channelInfo(second, 1, 1), channelInfo(first, 2, 2)]);
  });

  test("a channel named twice gets the message twice", async () => {
    const channel = fresh();
    expectGroup(await publish(`${channel}/${channel}`), [
      channelInfo(channel, 2, 2),
      channelInfo(channel, 2, 2),
    ]);
  });

  test("GET: one that exists is a single, none is 404, missing ones are skipped", async () => {
    const [here, missing] = [fresh(), fresh()];
    await publish(here);
    expectJson(await send(`/pub?id=${missing}/${here}`), channelInfo(here, 1, 1));
    const none = await send(`/pub?id=${missing}/${missing}`);
    expectHeaderOnly(none, { status: 404 });
    expectAntiCache(none);
    expect((await send(`/channels-stats?id=${missing}`)).status).toBe(404);
  });

  test("a connection serves many requests, good and bad", async () => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    for (let count = 1; count <= 50; count++) {
      connection.request(`/pub?id=${channel}`, { method: "POST", body: `message ${count}` });
      expectJson(await connection.answer(), channelInfo(channel, count, count));
      connection.request("/pub");
      expect((await connection.answer()).status).toBe(400);
      connection.request("/pub?id=nobody");
      expect((await connection.answer()).status).toBe(404);
    }
    connection.close();
  });

  test("Connection: close is obeyed", async () => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    connection.request(`/pub?id=${channel}`, { method: "POST", body: "x", headers: { Connection: "close" } });
    expectJson(await connection.answer(), channelInfo(channel, 1, 1));
    expect((await connection.untilEnd()).length).toBe(0);
  });

  test("pipelined requests are answered in order", async () => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    for (let count = 1; count <= 5; count++)
      connection.request(`/pub?id=${channel}`, { method: "POST", body: String(count) });
    for (let count = 1; count <= 5; count++)
      expectJson(await connection.answer(), channelInfo(channel, count, count));
    connection.close();
  });
});

describe("requests that are none", () => {
  test("HTTP/1.1 without Host is 400 (12.4)", async () => {
    const connection = await RawConnection.open(server.port);
    connection.send("GET /pub?id=a HTTP/1.1\r\n\r\n");
    expect((await connection.head()).status).toBe(400);
    connection.close();
  });

  test.each(["1.0 with Host", "1.0 without Host"])(
    "HTTP/%s publishes, then the server closes",
    async (kind) => {
      const channel = fresh();
      const connection = await RawConnection.open(server.port);
      const host = kind.endsWith("with Host") ? "Host: x\r\n" : "";
      connection.send(`POST /pub?id=${channel} HTTP/1.0\r\n${host}Content-Length: 5\r\n\r\nhello`);
      expectJson(await connection.answer(), channelInfo(channel, 1, 1));
      expect((await connection.untilEnd()).length).toBe(0);
    },
  );

  test("an address nobody serves is 404", async () => {
    for (const path of ["/nowhere", "/pub/x?id=a"]) {
      const answer = await send(path);
      expect(answer.statusLine).toBe("HTTP/1.1 404 Not Found");
      expect(answer.fields.get("content-type")).toBe("text/html");
      expect(answer.body.toString()).toContain("<h1>404 Not Found</h1>");
    }
  });

  test("half a request keeps nobody else waiting and publishes nothing", async () => {
    const channel = fresh();
    const half = await RawConnection.open(server.port);
    half.send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello`);
    await until("the channel is made", async () => (await send(`/pub?id=${channel}`)).status === 200);
    expectJson(await publish(channel), channelInfo(channel, 1, 1));
    half.close();
    expectJson(await publish(channel), channelInfo(channel, 2, 2));
  });
});
