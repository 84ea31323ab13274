/**
 * A message is the same on every transport, whatever line ends it has and wherever its empty lines are
 * (promise P1 says "the same messages"). Random texts on the compiled binary, through both doors. An event
 * stream alone cannot carry CR: its lines come out with LF (HTML 9.2.6).
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL } from "../../src/wire/subprotocols.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";
import { seededRandom } from "../random.ts";
import { decodeJsonFrame, decodeMsgpackFrame } from "../server-frames.ts";
import { EventStreamParser } from "./event-stream-parser.ts";

const COUNT = 60;
const PARTS = ["\n", "\r", "\r\n", "\n\n", " ", ":", "data: ", "id: x", "é", "😀", "\u0000", "a"] as const;
/** Says itself where each ends. */
const SIZED = 'message_template = "~size~:~text~"';
const LIMIT = 1 << 20;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const random = seededRandom("texts");
const texts = ["a\n\nb", "\n", "\r", "\r\n", "\n\n", "a\r\rb", "\na", "a\n", " a"];
while (texts.length < COUNT) {
  const text = random.text(PARTS, 8);
  if (text !== "") texts.push(text);
}
const inLines = texts.map((text) => text.replace(/\r\n?/g, "\n"));

/** Of `size:text` after `size:text`. */
function sized(body: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < body.length; ) {
    const colon = body.indexOf(58, at);
    const end = colon + 1 + Number(decoder.decode(body.subarray(at, colon)));
    if (colon < 0 || end > body.length) break;
    found.push(decoder.decode(body.subarray(colon + 1, end)));
    at = end;
  }
  return found;
}

/** Reads a body until `parsed` makes COUNT texts of it. */
async function held(
  response: Response,
  parsed: (chunk: Uint8Array) => readonly string[],
): Promise<readonly string[]> {
  if (response.body === null) throw new Error("no body");
  let found: readonly string[] = [];
  for await (const chunk of response.body) {
    found = parsed(chunk);
    if (found.length >= COUNT) break;
  }
  return found;
}

function events(): (chunk: Uint8Array) => readonly string[] {
  const found: string[] = [];
  const visitor = {
    event: ({ data, type }: { data: Uint8Array; type: string }) => {
      if (type === "message") found.push(decoder.decode(data));
    },
    comment: () => undefined,
  };
  const parser = new EventStreamParser(visitor, LIMIT);
  return (chunk) => {
    parser.push(chunk);
    return found;
  };
}

function stream(skip: number): (chunk: Uint8Array) => readonly string[] {
  const chunks: Uint8Array[] = [];
  return (chunk) => {
    chunks.push(chunk);
    return sized(Buffer.concat(chunks).subarray(skip));
  };
}

async function frames(url: string, protocol: string | null): Promise<readonly string[]> {
  const socket = protocol === null ? new WebSocket(url) : new WebSocket(url, protocol);
  socket.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
  const found: string[] = [];
  socket.onclose = () => reject(new Error(`closed after ${found.length}`));
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (protocol === null) found.push(decoder.decode(bytes));
    else {
      const frame = typeof data === "string" ? decodeJsonFrame(data) : decodeMsgpackFrame(bytes);
      if (frame?.kind === "message") found.push(decoder.decode(frame.data));
    }
    if (found.length >= COUNT) resolve(found);
  };
  const all = await promise;
  socket.onclose = null;
  socket.close();
  return all;
}

const polled = { "X-Nginx-PushStream-Mode": "polling" };

/** A streaming location without a header is served by the other door. */
describe.each([
  ["native", "\n"],
  ["wire", ""],
])("%s: messages with empty lines arrive as they were published by", (_door, header) => {
  let server: RunningServer;
  beforeAll(async () => {
    const toml = layout("", {
      sub: `${SIZED}\nheader_template = ${JSON.stringify(header)}`,
      ev: 'event_ids = "auto"',
      lp: SIZED,
      poll: SIZED,
    });
    server = await startServer({ toml });
    for (const text of texts) expect((await server.publish("t", text)).status).toBe(200);
  });
  afterAll(async () => {
    await server.stop();
  });

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/${path}/t.b${COUNT}`, { headers });
  const frame = (protocol: string | null): Promise<readonly string[]> =>
    frames(`ws://127.0.0.1:${server.port}/ws/t.b${COUNT}`, protocol);
  const ways: readonly (readonly [string, readonly string[], () => Promise<readonly string[]>])[] = [
    ["stream", texts, async () => await held(await get("sub"), stream(header.length))],
    ["poll", texts, async () => sized(await (await get("poll")).bytes())],
    ["long poll", texts, async () => sized(await (await get("lp")).bytes())],
    ["WebSocket", texts, () => frame(null)],
    [JSON_SUBPROTOCOL, texts, () => frame(JSON_SUBPROTOCOL)],
    [MSGPACK_SUBPROTOCOL, texts, () => frame(MSGPACK_SUBPROTOCOL)],
    ["event stream", inLines, async () => await held(await get("ev"), events())],
    ["poll of events", inLines, async () => events()(await (await get("ev", polled)).bytes())],
  ];
  test.each(ways)("%s", async (_name, expected, read) => {
    expect(await read()).toEqual([...expected]);
  });
});
