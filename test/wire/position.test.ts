/** Position tokens and the tag of If-None-Match. */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { formatPosition, lifeOf, parsePosition, parseTag, pushPosition } from "../../src/wire/position.ts";
import { seededRandom } from "../random.ts";
import { asLatin1 } from "./inputs.ts";

const MAX = Number.MAX_SAFE_INTEGER;

describe("tokens", () => {
  const rows = [
    ["0", [0], "0-0"],
    ["z", [12], "z-12"],
    ["sdnu2o", [1, 2, 3], "sdnu2o-1,2,3"],
    ["2gosa7pa2gv", [MAX], "2gosa7pa2gv-9007199254740991"],
  ] as const;
  for (const [life, positions, token] of rows) {
    test(token, () => {
      expect(formatPosition({ life, positions })).toBe(token);
      expect(parsePosition(token, 3)).toEqual({ life, positions: [...positions] });
      const writer = new ByteWriter();
      pushPosition(writer, { life, positions });
      expect(asLatin1(writer.view())).toBe(token);
    });
  }

  test("a life is that of these channels, in this order, in this store", () => {
    const names = (...texts: string[]) => texts.map((text) => Buffer.from(text));
    const lives = [
      lifeOf(7, names("a", "b")),
      lifeOf(7, names("b", "a")),
      lifeOf(7, names("a")),
      lifeOf(7, names("ab")),
      lifeOf(7, names("a", "")),
      lifeOf(8, names("a", "b")),
    ];
    expect(new Set(lives).size).toBe(lives.length);
    expect(lifeOf(7, names("a", "b"))).toBe(lives[0] ?? "");
    for (const life of lives) expect(parsePosition(`${life}-1`, 1)).toEqual({ life, positions: [1] });
  });
});

describe("what is no token", () => {
  const refused = [
    ["", "-", "1", "1-", "-1", "1-1,", "1-,1", "1-1,,2", "1-1-1", "1 -1", "1- 1", "1-+1", "1--1", "1-1.5"],
    ["A-1", "01-1", "1-01", "1-a", "é-1", "1-1\n", "W/1-1", "1-1e3", "1-0x1", "ev-1-2", "hello world"],
    ["2gosa7pa2gw-1", "1-9007199254740992", "zzzzzzzzzzzz-1", "1-99999999999999999999"],
  ].flat();
  for (const text of refused) {
    test(JSON.stringify(text), () => expect(parsePosition(text, 8)).toBeNull());
  }

  test("more positions than channels may be asked for, however many", () => {
    expect(parsePosition("1-1,2,3", 3)).not.toBeNull();
    expect(parsePosition("1-1,2,3,4", 3)).toBeNull();
    expect(parsePosition(`1-${"1,".repeat(1_000_000)}1`, 3)).toBeNull();
    expect(parsePosition("1".repeat(1_000_000), 3)).toBeNull();
    expect(parsePosition(`${"1".repeat(1_000_000)}-1`, 3)).toBeNull();
  });
});

test("random texts: what is read is written again unchanged", () => {
  const random = seededRandom("position");
  let read = 0;
  for (let round = 0; round < 5000; round++) {
    const text = random.text(["0", "1", "a", "z", "-", ",", "99", "1-2"], 6);
    const position = parsePosition(text, 4);
    if (position === null) continue;
    read++;
    expect(formatPosition(position)).toBe(text);
  }
  expect(read).toBeGreaterThan(100);
});

describe("parseTag", () => {
  const rows = [
    ["3", 3],
    ["0", 0],
    ["W/3", 3],
    ["W/0", 0],
    ["007", 7],
    ["9007199254740991", MAX],
    ["9007199254740992", null],
    ["9".repeat(1000), null],
    ["", null],
    ["W/", null],
    ["w/3", null],
    ["W/W/3", null],
    ['"3"', null],
    ['W/"3"', 3],
    ['W/"0"', 0],
    ['W/""', null],
    ['W/"', null],
    ['W/"3', null],
    ['W/3"', null],
    ['W/"a"', null],
    ["abc", null],
    ["-1", null],
    ["1a", null],
    [" 1", null],
    ["*", null],
  ] as const;
  for (const [value, expected] of rows) {
    test(JSON.stringify(value.slice(0, 20)), () => expect(parseTag(value)).toBe(expected));
  }
});
