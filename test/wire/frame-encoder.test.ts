/** Frames of the server as literal bytes (RFC 6455 5.2, 5.5.1). */
import { expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import {
  closeFrame,
  frameOf,
  headBytes,
  pushFrameHead,
  writeFrameHead,
} from "../../src/wire/frame-encoder.ts";
import { BINARY, PING, PONG, TEXT } from "../../src/wire/frame-layout.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test.each([
  [TEXT, 0, "8100"],
  [TEXT, 5, "8105"],
  [BINARY, 125, "827d"],
  [TEXT, 126, "817e007e"],
  [TEXT, 65_535, "817effff"],
  [BINARY, 65_536, "827f0000000000010000"],
  [TEXT, 2 ** 32 + 7, "817f0000000100000007"],
  [PING, 0, "8900"],
  [PONG, 3, "8a03"],
])("the head of opcode %i with %i bytes", (opcode, length, head) => {
  const writer = new ByteWriter();
  writer.pushByte(0x20);
  pushFrameHead(writer, opcode, length);
  expect(hex(writer.view())).toBe(`20${head}`);
  const room = new Uint8Array(14);
  writeFrameHead(room, 2, opcode, length);
  expect(hex(room)).toBe(`0000${head}`.padEnd(28, "0"));
  expect(headBytes(length)).toBe(head.length / 2);
});

test("a frame is its head and its payload", () => {
  expect(hex(frameOf(TEXT, Buffer.from("Hello")))).toBe("810548656c6c6f");
  const long = frameOf(BINARY, new Uint8Array(65_536).fill(7));
  expect(hex(long.subarray(0, 11))).toBe("827f000000000001000007");
  expect(long.length).toBe(65_546);
});

test.each([
  ["no code", closeFrame(1005), "8800"],
  ["a code", closeFrame(1000), "880203e8"],
  ["a reason", closeFrame(1008, "bye ü"), "880803f062796520c3bc"],
  ["a reason that just fits", closeFrame(1011, "w".repeat(123)), `887d03f3${"77".repeat(123)}`],
  [
    "a reason cut before a character that does not",
    closeFrame(1011, `${"w".repeat(122)}ü`),
    `887c03f3${"77".repeat(122)}`,
  ],
])("a close frame with %s", (_, frame, bytes) => {
  expect(hex(frame)).toBe(bytes);
});
