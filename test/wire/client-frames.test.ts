/** Frames of a client in any pieces: what is passed on, what is refused, what is unfinished (RFC 6455 5.2, 5.4). */
import { expect, test } from "bun:test";
import { ClientFrames, clientClose } from "../../src/wire/client-frames.ts";
import { clientFrame, Opcode } from "../binary/raw-web-socket.ts";
import { Random } from "./random.ts";

/** A masked text frame whose length is said in so many bytes. */
function textIn(lengthBytes: 1 | 2 | 8, length: number): Buffer {
  const head = Buffer.alloc(lengthBytes === 1 ? 2 : 2 + lengthBytes);
  head[0] = 0x81;
  head[1] = 0x80 | (lengthBytes === 1 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(4), Buffer.alloc(length, 97)]);
}

const GOOD = Buffer.concat([
  textIn(1, 0),
  textIn(1, 125),
  textIn(2, 126),
  textIn(2, 65_535),
  textIn(8, 65_536),
  clientFrame(Opcode.PING, "p"),
  clientFrame(Opcode.TEXT, "un", { fin: false }),
  clientFrame(Opcode.PONG),
  clientFrame(Opcode.CONTINUATION, "finished"),
  clientFrame(Opcode.BINARY, "x", { masked: false }),
  clientClose(1000, "bye"),
]);
const MESSAGES_IN_GOOD = 7;

test.each([
  ["2 bytes for 125", textIn(2, 125)],
  ["8 bytes for 125", textIn(8, 125)],
  ["8 bytes for 65,535", textIn(8, 65_535)],
])("%s: refused, and everything before it is passed on, however the bytes are cut", (_, bad) => {
  const all = Buffer.concat([GOOD, bad, textIn(1, 3)]);
  const random = new Random(7);
  for (const most of [1, 3, 20, 5000, all.length]) {
    const frames = new ClientFrames();
    const passed: Uint8Array[] = [];
    for (let at = 0; at < all.length && !frames.isFaulty; ) {
      const next = at + 1 + random.below(most);
      passed.push(Buffer.from(frames.take(all.subarray(at, next))));
      at = next;
    }
    expect(frames.isFaulty).toBe(true);
    expect(frames.finished).toBe(MESSAGES_IN_GOOD);
    expect(Buffer.concat(passed).equals(GOOD)).toBe(true);
  }
});

test.each<readonly [string, Buffer, boolean]>([
  ["nothing", Buffer.alloc(0), false],
  ["one byte", textIn(1, 3).subarray(0, 1), true],
  ["a frame without its last byte", textIn(1, 3).subarray(0, 8), true],
  ["a frame", textIn(1, 3), false],
  ["a fragment", clientFrame(Opcode.TEXT, "a", { fin: false }), true],
  [
    "a fragment and a ping",
    Buffer.concat([clientFrame(Opcode.TEXT, "a", { fin: false }), clientFrame(Opcode.PING)]),
    true,
  ],
  [
    "both fragments",
    Buffer.concat([clientFrame(Opcode.TEXT, "a", { fin: false }), clientFrame(Opcode.CONTINUATION, "b")]),
    false,
  ],
])("unfinished after %s", (_, bytes, isUnfinished) => {
  const frames = new ClientFrames();
  frames.take(bytes);
  expect(frames.isUnfinished).toBe(isUnfinished);
});
