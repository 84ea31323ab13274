/** Lengths and bytes of padding: push-stream spec 4.8, its own examples among them. */
import { expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { Padding, paddingLength } from "../../src/wire/padding.ts";

test.each([
  // sent, min, MAX, padding
  ["header of 10, min 1024, MAX 4097", 10, 1024, 4097, 1100],
  ["header of 10, min 4097, MAX 4097", 10, 4097, 4097, 4097],
  ["message of 10, min = MAX = 508", 10, 508, 508, 500],
  ["545 and 1", 1, 545, 545, 545],
  ["545 and 105", 105, 545, 545, 500],
  ["545 and 502", 502, 545, 545, 100],
  ["545 and 550", 550, 545, 545, 0],
  ["header of 10, min = MAX = 1024", 10, 1024, 1024, 1024],
  ["exactly enough", 545, 545, 545, 0],
  ["one byte short", 544, 545, 545, 100],
  ["no minimum", 10, 0, 4097, 0],
  ["a minimum below a step that is the MAX", 1, 50, 50, 50],
  ["a minimum below a step under a larger MAX", 1, 50, 545, 100],
  ["99 missing", 1, 100, 1000, 100],
  ["100 missing", 0, 100, 1000, 200],
])("%s", (_name, sent, min, max, length) => {
  expect(paddingLength(sent, min, max)).toBe(length);
});

function padded(isEventStream: boolean, sent: number, min: number, max: number): string {
  const writer = new ByteWriter(16);
  new Padding(max, isEventStream).push(writer, sent, min);
  return Buffer.from(writer.view()).toString("latin1");
}

test("streaming: pairs of CR LF; an odd length begins with LF", () => {
  expect(padded(false, 10, 508, 508)).toBe("\r\n".repeat(250));
  expect(padded(false, 1, 5, 5)).toBe("\n\r\n\r\n");
  expect(padded(false, 10, 4097, 4097)).toBe(`\n${"\r\n".repeat(2048)}`);
  expect(padded(false, 4, 5, 5)).toBe("\n\r\n\r\n");
  expect(padded(false, 5, 5, 5)).toBe("");
});

test("eventsource: a comment of colons, ended by LF", () => {
  expect(padded(true, 10, 508, 508)).toBe(`${":".repeat(499)}\n`);
  expect(padded(true, 10, 4097, 4097)).toBe(`${":".repeat(4096)}\n`);
  expect(padded(true, 1, 50, 51)).toBe(`${":".repeat(50)}\n`);
  expect(padded(true, 0, 1, 1)).toBe("\n");
});

test("no padding anywhere: nothing is ever appended", () => {
  for (const isEventStream of [true, false]) expect(padded(isEventStream, 0, 0, 0)).toBe("");
});
