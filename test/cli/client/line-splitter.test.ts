/** Lines out of chunks, with a bound. */
import { expect, test } from "bun:test";
import { LineSplitter } from "../../../src/cli/client/line-splitter.ts";
import { MessageTooLarge } from "../../../src/cli/client/pending-bytes.ts";

function split(chunks: readonly string[], maxBytes = 100): { lines: string[]; rest: string | null } {
  const splitter = new LineSplitter(maxBytes);
  const lines: string[] = [];
  for (const chunk of chunks) {
    for (const line of splitter.push(Buffer.from(chunk, "latin1")))
      lines.push(Buffer.from(line).toString("latin1"));
  }
  const rest = splitter.rest();
  return { lines, rest: rest === null ? null : Buffer.from(rest).toString("latin1") };
}

test.each([
  ["one chunk", ["a\nb\n"], ["a", "b"], null],
  ["a line over chunks", ["a", "b", "c\nd\n"], ["abc", "d"], null],
  ["LF alone in a chunk", ["ab", "\n", "\n"], ["ab", ""], null],
  ["no LF at the end", ["a\nb"], ["a"], "b"],
  ["CR and NUL are ordinary", ["a\r\n\0\xff\n"], ["a\r", "\0\xff"], null],
  ["empty chunks", ["", "a", "", "\n", ""], ["a"], null],
])("%s", (_, chunks, lines, rest) => {
  expect(split(chunks)).toEqual({ lines, rest });
});

test("a line beyond the limit is refused, whether in one chunk or in many", () => {
  expect(() => split(Array.from({ length: 11 }, () => "x".repeat(10)))).toThrow(MessageTooLarge);
  expect(() => split(["x".repeat(101)])).toThrow(MessageTooLarge);
  expect(split(["x".repeat(100), "\n"]).lines).toHaveLength(1);
});
