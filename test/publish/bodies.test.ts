/** Any bytes of any length arrive as they were sent: push-stream spec 2.4, and 413 of 2.1 (1). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectJson } from "../binary/answer-checks.ts";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { RawWebSocket, serverFrameHead } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const MIB = 1024 * 1024;
const config = layout('[limits]\nmax_body_size = "5MiB"\n[store]\nsize = "32MiB"');

let server: RunningServer;
let channels = 0;
const fresh = (): string => `b${++channels}`;
const publish = (channel: string, body: string | Uint8Array) =>
  ask(server.port, `/pub?id=${channel}`, { method: "POST", body });
/** What a poll gives of the last stored message: no template, so the bytes alone. */
const stored = async (channel: string): Promise<Buffer> =>
  (await ask(server.port, `/poll/${channel}.b1`)).body;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const everyPair = Buffer.from(Array.from({ length: 65536 * 2 }, (_, i) => (i % 2 === 0 ? i >> 9 : i >> 1)));
const large = Buffer.alloc(4 * MIB, Buffer.from("0123456789abcdefg\0\xff", "latin1"));

describe.each([
  ["one byte", Buffer.from("x")],
  ["one NUL", Buffer.from([0])],
  ["line breaks only", Buffer.from("\r\n\r\n")],
  ["every byte", everyByte],
  ["every pair of bytes", everyPair],
  ["4 MiB", large],
  ["tokens of templates", Buffer.from("~id~~text~~channel~ ~~text~".repeat(30_000))],
  ["a form that is not decoded", Buffer.from("a=%41+b&c=%zz")],
])("%s", (_name, body) => {
  test("with a length", async () => {
    const channel = fresh();
    expectJson(await publish(channel, body), channelInfo(channel, 1, 1));
    expect((await stored(channel)).equals(body)).toBeTrue();
  });

  test("in chunks, with a type that nobody looks at", async () => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    connection.send(
      `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n` +
        "Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n\r\n",
    );
    for (let at = 0, size = 1; at < body.length; at += size, size = Math.min(size * 7, 100_000)) {
      const part = body.subarray(at, at + size);
      connection.send(`${part.length.toString(16)}\r\n`);
      connection.send(part);
      connection.send("\r\n");
    }
    connection.send("0\r\n\r\n");
    expectJson(await connection.answer(), channelInfo(channel, 1, 1));
    expect((await stored(channel)).equals(body)).toBeTrue();
    connection.close();
  });

  test("live: stream, long poll and WebSocket get the same bytes", async () => {
    const channel = fresh();
    const stream = await RawConnection.open(server.port);
    stream.request(`/sub/${channel}`);
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${channel}`);
    const socket = await RawWebSocket.open(server.port, `/ws/${channel}`);
    await until("all stand", async () =>
      (await ask(server.port, `/pub?id=${channel}`)).body.includes('"subscribers": 3}'),
    );
    await publish(channel, body);
    await stream.head();
    expect((await stream.chunked(body.length)).equals(body)).toBeTrue();
    expect((await poll.answer()).body.equals(body)).toBeTrue();
    const { payload, bytes } = await socket.frame();
    expect(payload.equals(body)).toBeTrue();
    // Text if it is UTF-8, else binary (12.4); one frame, with the shortest form of its length.
    const opcode = Buffer.from(body.toString("utf8")).equals(body) ? 1 : 2;
    const head = serverFrameHead(opcode, body.length);
    expect(bytes.subarray(0, head.length)).toEqual(head);
    for (const connection of [stream, poll, socket]) connection.close();
  });
});

describe("more than max_body_size", () => {
  test.each([
    ["a declared length", "Content-Length: 5242881\r\n\r\n"],
    ["a length no number holds", "Content-Length: 99999999999999999999\r\n\r\n"],
  ])("%s: refused before anything else, no channel is made", async (_name, head) => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    connection.send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${head}`);
    const { status } = await connection.head();
    expect([400, 413]).toContain(status);
    expect((await ask(server.port, `/pub?id=${channel}`)).status).toBe(404);
    connection.close();
  });

  test("declared: 413", async () => {
    const connection = await RawConnection.open(server.port);
    connection.send("POST /pub?id=x HTTP/1.1\r\nHost: x\r\nContent-Length: 5242881\r\n\r\n");
    expect((await connection.head()).status).toBe(413);
    await connection.untilEnd();
  });

  test("chunked: 413, nothing is published, the server goes on", async () => {
    const channel = fresh();
    const connection = await RawConnection.open(server.port);
    connection.send(
      `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n600000\r\n`,
    );
    connection.send(Buffer.alloc(6 * MIB, "z"));
    connection.send("\r\n0\r\n\r\n");
    expect((await connection.head()).status).toBe(413);
    connection.close();
    expectJson(await publish(channel, "after"), channelInfo(channel, 1, 1));
  });

  test("exactly as large as the limit: taken", async () => {
    const channel = fresh();
    expectJson(await publish(channel, Buffer.alloc(5 * MIB, "y")), channelInfo(channel, 1, 1));
    expect((await stored(channel)).length).toBe(5 * MIB);
  });
});

test("Expect: 100-continue is answered before the body is sent", async () => {
  const channel = fresh();
  const connection = await RawConnection.open(server.port);
  connection.send(
    `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
  );
  expect((await connection.head()).status).toBe(100);
  connection.send("hello");
  expectJson(await connection.answer(), channelInfo(channel, 1, 1));
  connection.close();
});

test("a body that comes byte by byte is one message", async () => {
  const channel = fresh();
  const connection = await RawConnection.open(server.port);
  const request = `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world`;
  for (const byte of request) {
    connection.send(byte);
    await Bun.sleep(0);
  }
  expectJson(await connection.answer(), channelInfo(channel, 1, 1));
  expect((await stored(channel)).toString()).toBe("hello world");
  connection.close();
});
