/**
 * Frames on an open WebSocket without subprotocol: push-stream spec 4.13.4, 4.13.5 and 5.6, as changed by
 * 12.4.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo } from "../binary/answer-checks.ts";
import { ask, standing } from "../binary/raw-client.ts";
import { clientFrame, Opcode, RawWebSocket, serverFrameHead } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const location = (name: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "websocket"
channels_path = "$1"
${rest}`;
const config =
  layout('[limits]\nmax_body_size = "5MiB"', {
    ws: "websocket_allow_publish = true\nstore_messages = true",
  }) +
  location("unstored", "websocket_allow_publish = true") +
  location("deaf", "store_messages = true") +
  location(
    "around",
    'header_template = "HEADER"\nfooter_template = "BYE"\nmessage_template = "~id~:~channel~:~text~"',
  );

let server: RunningServer;
let channels = 0;
const fresh = (): string => `w${++channels}`;
const open = (path: string) => RawWebSocket.open(server.port, path);
const info = async (channel: string): Promise<string> =>
  (await ask(server.port, `/channels-stats?id=${channel}`)).body.toString();

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

describe("frames from the server (4.13.4)", () => {
  test.each([1, 125, 126, 127, 65_535, 65_536, 4 * 1024 * 1024])(
    "a message of %d bytes is one frame",
    async (length) => {
      const channel = fresh();
      const old = Buffer.alloc(length, "o");
      await server.publish(channel, old);
      const socket = await open(`/ws/${channel}.b1`);
      expect(
        (await socket.frame()).bytes.equals(Buffer.concat([serverFrameHead(1, length), old])),
      ).toBeTrue();
      const live = Buffer.alloc(length, "l");
      await server.publish(channel, live);
      expect(
        (await socket.frame()).bytes.equals(Buffer.concat([serverFrameHead(1, length), live])),
      ).toBeTrue();
      socket.close();
    },
  );

  test.each([
    ["UTF-8 with NUL and control bytes", Buffer.from("é€😀\0\x01\x7f"), Opcode.TEXT],
    ["a byte order mark", Buffer.from("\ufeffx"), Opcode.TEXT],
    ["a lone continuation byte", Buffer.from([0x61, 0x80]), Opcode.BINARY],
    ["an overlong form", Buffer.from([0xc0, 0xaf]), Opcode.BINARY],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80]), Opcode.BINARY],
    ["a sequence cut short", Buffer.from([0xe2, 0x82]), Opcode.BINARY],
  ])("%s", async (_name, body, opcode) => {
    const channel = fresh();
    await server.publish(channel, body);
    const socket = await open(`/ws/${channel}.b1`);
    const old = await socket.frame();
    await server.publish(channel, body);
    const live = await socket.frame();
    for (const frame of [old, live]) {
      expect(frame.opcode).toBe(opcode);
      expect(frame.payload.equals(body)).toBeTrue();
    }
    socket.close();
  });

  test("header template, old, live, each a frame of its own; footer before the close", async () => {
    const channel = fresh();
    for (const text of ["a", "b"]) await server.publish(channel, text);
    const socket = await open(`/around/${channel}.b2`);
    for (const text of ["HEADER", `1:${channel}:a`, `2:${channel}:b`]) expect(await socket.text()).toBe(text);
    for (const text of ["c", "d"]) await server.publish(channel, text);
    for (const text of [`3:${channel}:c`, `4:${channel}:d`]) expect(await socket.text()).toBe(text);
    await ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });
    for (const text of [`-2:${channel}:Channel deleted`, "BYE"]) expect(await socket.text()).toBe(text);
    expect((await socket.connection.untilEnd()).toString("hex")).toBe("8800");
  });
});

describe("publishing over the socket (4.13.5)", () => {
  test("to all its channels in order; the sender hears it like everyone", async () => {
    const [first, second] = [fresh(), fresh()];
    const sender = await open(`/ws/${first}/${second}`);
    const other = await open(`/ws/${second}`);
    await standing(server.port, second, 2);
    sender.sendFrame(Opcode.TEXT, "hello");
    expect([await sender.text(), await sender.text(), await other.text()]).toEqual([
      "hello",
      "hello",
      "hello",
    ]);
    expect(await info(first)).toBe(channelInfo(first, 1, 1, 1));
    expect(await info(second)).toBe(channelInfo(second, 1, 1, 2));
    for (const socket of [sender, other]) socket.close();
  });

  test("stored only if the location says so; without id and type", async () => {
    const channel = fresh();
    const socket = await open(`/unstored/${channel}`);
    socket.sendFrame(Opcode.TEXT, "hello");
    expect(await socket.text()).toBe("hello");
    expect(await info(channel)).toBe(channelInfo(channel, 1, 0, 1));
    socket.close();
  });

  test("not allowed: read and ignored, the socket stays", async () => {
    const channel = fresh();
    const socket = await open(`/deaf/${channel}`);
    socket.sendFrame(Opcode.TEXT, "hello");
    socket.sendFrame(Opcode.PING, "after");
    expect((await socket.frame()).bytes).toEqual(Buffer.from("\x8a\x05after", "latin1"));
    expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 1));
    socket.close();
  });

  const cases: readonly (readonly [string, readonly Buffer[], string])[] = [
    ["one frame", [clientFrame(1, "hello")], "hello"],
    ["UTF-8", [clientFrame(1, "é€😀")], "é€😀"],
    ["templates in it", [clientFrame(1, "~text~~id~")], "~text~~id~"],
    ["two fragments", [clientFrame(1, "he", { fin: false }), clientFrame(0, "llo")], "hello"],
    [
      "many fragments, empty ones among them",
      [
        clientFrame(1, "", { fin: false }),
        ..."hello".split("").map((text) => clientFrame(0, text, { fin: false })),
        clientFrame(0, ""),
      ],
      "hello",
    ],
    [
      "a character cut in two fragments",
      [clientFrame(1, Buffer.from([0xc3]), { fin: false }), clientFrame(0, Buffer.from([0xa9]))],
      "é",
    ],
    ["126 bytes", [clientFrame(1, "x".repeat(126))], "x".repeat(126)],
    ["65,536 bytes", [clientFrame(1, "x".repeat(65_536))], "x".repeat(65_536)],
    ["an empty frame before it", [clientFrame(1, ""), clientFrame(1, "hello")], "hello"],
    ["a pong before it", [clientFrame(10, "unasked"), clientFrame(1, "hello")], "hello"],
  ];
  test.each(cases)("%s", async (_name, frames, text) => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    for (const frame of frames) socket.connection.send(frame);
    expect(await socket.text()).toBe(text);
    expect(await info(channel)).toBe(channelInfo(channel, 1, 1, 1));
    socket.close();
  });

  test("byte by byte", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    for (const byte of clientFrame(1, "hello world")) {
      socket.connection.send(Buffer.from([byte]));
      await Bun.sleep(1);
    }
    expect(await socket.text()).toBe("hello world");
    socket.close();
  });

  test("a ping between fragments is answered before the message", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    socket.sendFrame(Opcode.TEXT, "he", { fin: false });
    socket.sendFrame(Opcode.PING, "p");
    socket.sendFrame(Opcode.CONTINUATION, "llo");
    expect((await socket.frame()).bytes).toEqual(Buffer.from("\x8a\x01p", "latin1"));
    expect(await socket.text()).toBe("hello");
    socket.close();
  });

  test("many frames in one write are many messages, in order", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    const texts = Array.from({ length: 50 }, (_, i) => `m${i}`);
    socket.connection.send(Buffer.concat(texts.map((text) => clientFrame(1, text))));
    for (const text of texts) expect(await socket.text()).toBe(text);
    socket.close();
  });
});

describe("ping", () => {
  test.each(["", "abc", "x".repeat(125)])("'%s' is echoed, and that is all", async (payload) => {
    const pong = Buffer.concat([serverFrameHead(Opcode.PONG, payload.length), Buffer.from(payload)]);
    const socket = await open(`/ws/${fresh()}`);
    for (let again = 0; again < 3; again++) {
      socket.sendFrame(Opcode.PING, payload);
      expect((await socket.frame()).bytes).toEqual(pong);
    }
    socket.close();
  });

  test("a client's ping does not make the server ping: the next frame is the next message", async () => {
    for (const [path, headers] of [
      ["ws", {}],
      ["ws", { "Sec-WebSocket-Protocol": "sluice.json.v1" }],
    ] as const) {
      const channel = fresh();
      const socket = await RawWebSocket.open(server.port, `/${path}/${channel}`, headers);
      if ("Sec-WebSocket-Protocol" in headers) expect(await socket.text()).toContain('"hello"');
      for (const opcode of [Opcode.PING, Opcode.PONG]) socket.sendFrame(opcode, "x");
      expect((await socket.frame()).opcode).toBe(Opcode.PONG);
      await server.publish(channel, "message");
      expect(await socket.text()).toContain("message");
      socket.close();
    }
  });
});

describe("what ends a socket", () => {
  const PROTOCOL_ERROR = 1002;
  const cases: readonly (readonly [string, readonly Buffer[], number | null])[] = [
    ["close without a code", [clientFrame(8)], null],
    ["close 1000", [clientFrame(8, Buffer.from([3, 0xe8]))], 1000],
    ["close 1001 with a reason", [clientFrame(8, Buffer.from([3, 0xe9, 0x78]))], 1001],
    ["close 3000", [clientFrame(8, Buffer.from([0x0b, 0xb8]))], 3000],
    ["close with half a code", [clientFrame(8, Buffer.from([3]))], PROTOCOL_ERROR],
    ["close 1005, which is never sent", [clientFrame(8, Buffer.from([3, 0xed]))], PROTOCOL_ERROR],
    ["binary", [clientFrame(2, "hello")], null],
    ["invalid UTF-8", [clientFrame(1, Buffer.from([0x61, 0xff]))], 1007],
    [
      "invalid UTF-8 in a fragment",
      [clientFrame(1, Buffer.from([0xff]), { fin: false }), clientFrame(0, "x")],
      1007,
    ],
    ["unmasked", [clientFrame(1, "hello", { masked: false })], PROTOCOL_ERROR],
    ["a continuation of nothing", [clientFrame(0, "x")], PROTOCOL_ERROR],
    [
      "a message inside a message",
      [clientFrame(1, "x", { fin: false }), clientFrame(1, "y")],
      PROTOCOL_ERROR,
    ],
    ["a reserved opcode", [clientFrame(3, "x")], PROTOCOL_ERROR],
    ["a reserved control opcode", [clientFrame(11, "")], PROTOCOL_ERROR],
    ["a reserved bit", [Buffer.from([0xc1, 0x80, 0, 0, 0, 0])], PROTOCOL_ERROR],
    ["a ping of 126 bytes", [clientFrame(9, "x".repeat(126))], PROTOCOL_ERROR],
    ["a ping in fragments", [clientFrame(9, "x", { fin: false })], PROTOCOL_ERROR],
    [
      "more than max_body_size",
      [clientFrame(1, Buffer.alloc(5 * 1024 * 1024 + 1, "x")).subarray(0, 100)],
      1009,
    ],
  ];
  test.each(cases)("%s", async (_name, frames, code) => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    for (const frame of frames) socket.connection.send(frame);
    // What comes after a close is nothing's beginning: no frame, no HTTP request.
    socket.connection.send(clientFrame(1, "late"));
    socket.connection.send(`GET /channels-stats HTTP/1.1\r\nHost: x\r\n\r\n`);
    const { opcode, payload } = await socket.frame();
    expect(opcode).toBe(Opcode.CLOSE);
    if (code === null) expect(payload.length).toBe(0);
    else expect(payload.readUInt16BE(0)).toBe(code);
    expect((await socket.connection.untilEnd()).length).toBe(0);
    // Bun answers a close before it tells; one who asks another worker at once may be a moment too early.
    await standing(server.port, channel, 0);
    expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 0));
  });

  test("where the server itself closes, the place is free before the peer can ask (5.6)", async () => {
    for (let again = 0; again < 20; again++) {
      const channel = fresh();
      const socket = await open(`/ws/${channel}`);
      socket.sendFrame(Opcode.BINARY, "hello");
      expect((await socket.frame()).bytes.toString("hex")).toBe("8800");
      expect(await info(channel)).toBe(channelInfo(channel, 0, 0, 0));
    }
  });

  test("a connection that just breaks", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`);
    await standing(server.port, channel, 1);
    socket.close();
    await standing(server.port, channel, 0);
  });
});
