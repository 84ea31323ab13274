/**
 * The channels path: every row of the table of push-stream spec 3.3, and the regular expression of that
 * clause as a model.
 */
import { describe, expect, test } from "bun:test";
import { ALL_STORED, isForbidden, parseChannelsPath } from "../../src/wire/channels-path.ts";
import { seededRandom } from "../random.ts";
import { asLatin1, latin1 } from "./inputs.ts";

type Pairs = readonly (readonly [name: string, backtrack: number])[];

const pairs = (path: string, maxChannels = 0): Pairs | string => {
  const parsed = parseChannelsPath(path, maxChannels);
  if (typeof parsed === "string") return parsed;
  expect(parsed.names).toHaveLength(parsed.backtracks.length);
  return parsed.names.map((name, index) => [asLatin1(name), parsed.backtracks[index] ?? -1]);
};

describe("parseChannelsPath", () => {
  const rows: readonly (readonly [path: string, expected: Pairs | string])[] = [
    ["", "empty"],
    ["ch1", [["ch1", 0]]],
    [
      "ch1.b3/ch2.b5/ch3",
      [
        ["ch1", 3],
        ["ch2", 5],
        ["ch3", 0],
      ],
    ],
    ["ch1/", [["ch1", 0]]],
    ["room.b18.beautiful.b3", [["room.b18.beautiful", 3]]],
    ["ch.b", [["ch.b", 0]]],
    [
      "a.b10x/c",
      [
        ["a.b10x", 0],
        ["c", 0],
      ],
    ],
    ["a.b5.b6", [["a.b5", 6]]],
    ["/ch1", [["ch1", 0]]], // empty ids are dropped when another is there
    [
      "a//b",
      [
        ["a", 0],
        ["b", 0],
      ],
    ],
    [
      "a/.b4/b",
      [
        ["a", 0],
        ["b", 0],
      ],
    ],
    ["/", [["", 0]]],
    [
      "///",
      [
        ["", 0],
        ["", 0],
        ["", 0],
      ],
    ],
    [".b3", [["", 3]]],
    ["x.b99999999999999999999", [["x", ALL_STORED]]],
    [`x.b${"9".repeat(400)}`, [["x", ALL_STORED]]],
    ["x.b9007199254740991", [["x", ALL_STORED]]],
    ["x.b9007199254740990", [["x", 9007199254740990]]],
    ["x.b0", [["x", 0]]],
    ["x.b007", [["x", 7]]],
    ["x.B5", [["x.B5", 0]]],
    ["b5", [["b5", 0]]],
    ["5", [["5", 0]]],
    ["x.b-5", [["x.b-5", 0]]],
    ["a\n", [["a\n", 0]]],
    ["a.b5\n", [["a.b5\n", 0]]],
    [
      "a\nb/c",
      [
        ["a\nb", 0],
        ["c", 0],
      ],
    ],
    [
      "\0\xff/~text~",
      [
        ["\0\xff", 0],
        ["~text~", 0],
      ],
    ],
    [
      "a/a",
      [
        ["a", 0],
        ["a", 0],
      ],
    ],
  ];
  for (const [path, expected] of rows) {
    test(JSON.stringify(path.slice(0, 40)), () => expect(pairs(path)).toEqual(expected));
  }

  test("limits count the ids that are kept", () => {
    expect(pairs("a/b", 2)).toHaveLength(2);
    expect(pairs("a/b/c", 2)).toBe("too many");
    expect(pairs("/a//b/", 2)).toHaveLength(2);
    expect(pairs("//", 2)).toHaveLength(2);
    expect(pairs("///", 2)).toBe("too many");
    expect(pairs("a/".repeat(100_000), 20)).toBe("too many");
  });

  test("a long path of digits, dots or slashes takes one pass", () => {
    for (const unit of [".b1", "1", ".b", "/", "\n"]) {
      expect(pairs(unit.repeat(100_000), 1)).toBeDefined();
    }
  });

  test("short random paths: the same as the regular expression of the spec", () => {
    const random = seededRandom("channels-path");
    for (let round = 0; round < 5000; round++) {
      const path = random.text(["/", ".b", ".b1", "b", ".", "2", "30", "a", "\n"], 8);
      expect(pairs(path)).toEqual(path === "" ? "empty" : regexModel(path));
    }
  });
});

/** push-stream spec 3.3 word for word, then the rule about empty ids. */
const regexModel = (path: string): Pairs => {
  const found: [string, number][] = [];
  for (let rest = path; rest !== ""; ) {
    const match = /(\.b([0-9]+))?(\/|$)/.exec(rest);
    if (match === null) throw new Error("the end always matches");
    found.push([rest.slice(0, match.index), Number(match[2] ?? 0)]);
    rest = rest.slice(match.index + match[0].length);
  }
  const named = found.filter(([name]) => name !== "");
  return named.length > 0 ? named : found;
};

describe("isForbidden", () => {
  const rows = [
    ["ALL", true],
    ["all", false],
    ["ALL2", false],
    ["AL", false],
    ["*", true],
    ["a*b", true],
    ["a", false],
    ["", false],
  ] as const;
  for (const [name, expected] of rows) {
    test(JSON.stringify(name), () => expect(isForbidden(latin1(name))).toBe(expected));
  }
});
