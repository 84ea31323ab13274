/**
 * What a WebSocket client must not send, byte by byte (RFC 6455 5), on the compiled binary at both doors:
 * each ends the connection with the code for it, and a message that was sent just before it is published all
 * the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { clientFrame, Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

/** Head as given, mask of zeros, payload. */
const frame = (head: readonly number[], payload: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(head), Buffer.alloc(4), Buffer.from(payload)]);

const PROTOCOL = 1002;
const NOT_UTF8 = 1007;
const TOO_BIG = 1009;

const REFUSED: readonly (readonly [string, Buffer, number])[] = [
  ["an RSV bit", frame([0xc1, 0x81], "x"), PROTOCOL],
  ["a frame without mask", clientFrame(Opcode.TEXT, "x", { masked: false }), PROTOCOL],
  ["an opcode nobody knows", frame([0x83, 0x81], "x"), PROTOCOL],
  ["text that is not UTF-8", frame([0x81, 0x81], Buffer.of(0xff)), NOT_UTF8],
  ["more than max_frame_size", frame([0x81, 0xff, 0, 0, 0, 0, 0, 3, 0, 0], "x"), TOO_BIG],
  ["a length with its highest bit set", frame([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], "x"), TOO_BIG],
  ["a continuation of nothing", frame([0x80, 0x81], "x"), PROTOCOL],
  [
    "a message in the middle of another",
    Buffer.concat([clientFrame(Opcode.TEXT, "a", { fin: false }), clientFrame(Opcode.TEXT, "b")]),
    PROTOCOL,
  ],
  ["a ping in fragments", frame([0x09, 0x81], "x"), PROTOCOL],
  ["a ping of 126 bytes", frame([0x89, 0xfe, 0, 126], "x".repeat(126)), PROTOCOL],
  ["a close with one byte", frame([0x88, 0x81], "x"), PROTOCOL],
  ["a close with a code that is none", frame([0x88, 0x82], Buffer.of(3, 0xed)), PROTOCOL],
];

/**
 * RFC 6455 5.2: the minimal number of bytes MUST be used. Bun's parser takes them, and shows nobody the
 * bytes.
 */
const TOO_LONG: readonly (readonly [string, Buffer])[] = [
  ["2 bytes for a length of 5", frame([0x81, 0xfe, 0, 5], "hello")],
  ["8 bytes for a length of 5", frame([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], "hello")],
  ["8 bytes for a length of 200", frame([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 200], "x".repeat(200))],
];

/** A stream that begins with nothing is for the wire listener (running-server.ts). */
const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;

describe.each(DOORS)("%s door", (door, sub) => {
  let server: RunningServer;
  let channels = 0;
  beforeAll(async () => {
    const toml = layout('[limits]\nmax_frame_size = "64KiB"', { sub, ws: "websocket_allow_publish = true" });
    server = await startServer({ toml, workers: 1 });
  });
  afterAll(async () => {
    await server.stop();
  });

  test("publish frames of one piece keep the order in which they came, however written", async () => {
    const channel = `c${++channels}`;
    const socket = await RawWebSocket.open(server.port, `/ws/${channel}`, {
      "Sec-WebSocket-Protocol": "sluice.json.v1",
    });
    await socket.text();
    const written: readonly ((ref: number) => string)[] = [
      (ref) => `{"kind":"publish","ref":${ref},"channel":"${channel}","data":"${ref} ü"}`,
      (ref) => `{"data":"${ref} \\u00fc","kind":"publish","ref":${ref}}`,
      (ref) => `{ "kind": "publish", "ref": ${ref}, "data": "${ref} ü" }`,
      (ref) => `{"kind":"publish","ref":${ref},"data":"${ref} ü","key":"${ref}"}`,
    ];
    const refs = Array.from({ length: 40 }, (_, ref) => ref);
    const frames = refs.map((ref) =>
      clientFrame(Opcode.TEXT, written[(ref * 7 + (ref >> 2)) % 4]?.(ref) ?? ""),
    );
    socket.connection.send(Buffer.concat(frames));
    const told: unknown[] = [];
    const came: unknown[] = [];
    while (told.length + came.length < 2 * refs.length) {
      const said = JSON.parse(await socket.text());
      if (said.kind === "published") told.push(said.ref);
      else came.push(said.data);
    }
    expect(told).toEqual(refs);
    expect(came).toEqual(refs.map((ref) => `${ref} ü`));
    socket.close();
  });

  /** Sends "before" and then these bytes, in one piece. */
  async function sent(bytes: Uint8Array): Promise<{ socket: RawWebSocket; channel: string }> {
    const channel = `c${++channels}`;
    const socket = await RawWebSocket.open(server.port, `/ws/${channel}`);
    socket.connection.send(Buffer.concat([clientFrame(Opcode.TEXT, "before"), bytes]));
    return { socket, channel };
  }

  async function expectRefused(bytes: Uint8Array, code: number): Promise<void> {
    const { socket, channel } = await sent(bytes);
    let frame = await socket.frame();
    // Its own message comes back if there was time for it.
    if (frame.opcode === Opcode.TEXT) frame = await socket.frame();
    expect(frame.opcode).toBe(Opcode.CLOSE);
    expect(frame.payload.readUInt16BE()).toBe(code);
    await socket.connection.untilEnd();
    await until("it is gone", async () => (await server.statistics(channel)).subscribers === 0);
    expect((await server.statistics(channel)).published_messages).toBe(1);
  }

  test.each(REFUSED)("%s", async (_, bytes, code) => await expectRefused(bytes, code));

  test.each(TOO_LONG)(
    "%s: refused where the bytes are seen, a message where Bun alone sees them",
    async (_, bytes) => {
      if (door !== "native") return await expectRefused(bytes, PROTOCOL);
      const { socket, channel } = await sent(bytes);
      await until("both", async () => (await server.statistics(channel)).published_messages === 2);
      expect((await server.statistics(channel)).subscribers).toBe(1);
      socket.close();
    },
  );
});
