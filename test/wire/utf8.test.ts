/** UTF-8 checks against the runtime's own decoder. */
import { describe, expect, test } from "bun:test";
import { isUtf8, sequenceLength } from "../../src/wire/utf8.ts";
import { type Random, seededRandom } from "../random.ts";
import { latin1, utf8 } from "./inputs.ts";

const decodes = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
};

describe("isUtf8", () => {
  const rows = [
    ["", true],
    ["abc\0", true],
    ["\x7f", true],
    ["\x80", false],
    ["\xc3\xa9", true],
    ["\xc3", false],
    ["\xc0\x80", false], // overlong
    ["\xe0\x9f\xbf", false],
    ["\xed\xa0\x80", false], // surrogate
    ["\xf4\x8f\xbf\xbf", true],
    ["\xf4\x90\x80\x80", false], // past U+10FFFF
    ["\xf5\x80\x80\x80", false],
    [`${"a".repeat(100)}\xff`, false],
    [`${"a".repeat(100)}\xc3\xa9`, true],
  ] as const;
  for (const [text, expected] of rows) {
    test(JSON.stringify(text), () => {
      const around = latin1(`\xff${text}\xff`);
      expect(isUtf8(around, 1, text.length)).toBe(expected);
    });
  }
});

/** Random bytes are hardly ever UTF-8; this cuts and joins pieces that nearly are. */
const nearlyUtf8 = (random: Random): Uint8Array => {
  const whole = utf8(random.text(["a", "é", "€", "😀", "\uffff", "\0"], 6));
  const bytes = Uint8Array.from([...whole, ...random.bytes(3), ...whole]);
  return bytes.subarray(random.below(3), bytes.length - random.below(3));
};

test("random bytes: the same verdict and the same replacements as TextDecoder", () => {
  const random = seededRandom("utf8");
  for (let round = 0; round < 5000; round++) {
    const bytes = nearlyUtf8(random);
    expect(isUtf8(bytes, 0, bytes.length)).toBe(decodes(bytes));
    let model = "";
    for (let at = 0; at < bytes.length; ) {
      const length = sequenceLength(bytes, at, bytes.length);
      const piece = bytes.subarray(at, at + Math.abs(length));
      model += length > 0 ? Buffer.from(piece).toString("utf8") : "\ufffd";
      at += Math.abs(length);
    }
    expect(model).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  }
});
