/**
 * Decoding and normalising of paths: a table of what nginx does, and a fuzz test against a model of its state
 * machine.
 */
import { describe, expect, test } from "bun:test";
import { decodePath } from "../../src/config/location/uri-path.ts";

const PATHS: readonly (readonly [raw: string, decoded: string | null])[] = [
  ["/", "/"],
  ["", "/"],
  ["/a/b", "/a/b"],
  ["/a/b/", "/a/b/"],
  ["//a///b//", "/a/b/"],
  ["/./a/./b", "/a/b"],
  ["/a/.", "/a/"],
  ["/a/..", "/"],
  ["/a/b/..", "/a/"],
  ["/a/../b", "/b"],
  ["/a//../b", "/b"],
  ["/a/b/../../c", "/c"],
  ["/a/...", "/a/..."],
  ["/a/..b/.c", "/a/..b/.c"],
  ["/a./b..", "/a./b.."],
  ["/..", null],
  ["/../a", null],
  ["/a/../..", null],
  ["/a/../../b", null],
  ["/%61", "/a"],
  ["/%C3%A9", "/\xc3\xa9"],
  ["/%c3%a9", "/\xc3\xa9"],
  ["/%ff%01%7f%0a", "/\xff\x01\x7f\n"],
  ["/a%2Fb", "/a/b"],
  ["/a%2F%2fb", "/a/b"],
  ["/a/%2e%2E/b", "/b"],
  ["/a/.%2e/b", "/b"],
  ["/a/%2e", "/a/"],
  ["/%2e%2e", null],
  ["/a%20b+c", "/a b+c"],
  ["/a%3Fb", "/a?b"],
  ["/a%23b", "/a#b"],
  ["/a%25b", "/a%b"],
  ["/a%2541", "/a%41"],
  ["/.%25", "/.%"],
  ["/a?b", "/a"],
  ["/a#b", "/a"],
  ["/a/..?x", "/"],
  ["/%", null],
  ["/%4", null],
  ["/%zz", null],
  ["/%4g", null],
  ["/%%41", null],
  ["/%00", null],
  ["/a b", null],
  ["/a\x01", null],
  ["/a\x7f", null],
  ["/\xe9", "/\xe9"],
  ["/\u20ac", null],
  ["a", null],
  ["*", null],
  ["%2Fa", null],
];

test.each(PATHS)("%s -> %p", (raw, decoded) => {
  expect(decodePath(raw)).toBe(decoded);
});

/**
 * The model walks like nginx's parser, a byte at a time with a state, over one growing output; the real one
 * works on segments. Only what both can be asked: a leading slash and no raw control characters.
 */
function modelPath(raw: string): string | null {
  let out = "";
  let state: "usual" | "slash" | "dot" | "dots" = "usual";
  const upOne = (): boolean => {
    const parent = out.slice(0, -3);
    if (parent === "") return false;
    out = parent.slice(0, parent.lastIndexOf("/") + 1);
    return true;
  };
  for (let at = 0; at < raw.length; at++) {
    let character = raw[at] ?? "";
    let isLiteral = false;
    if (character === "?" || character === "#") break;
    if (character === "%") {
      const digits = raw.slice(at + 1, at + 3);
      if (!/^[0-9a-f]{2}$/i.test(digits) || digits === "00") return null;
      character = String.fromCharCode(Number.parseInt(digits, 16));
      isLiteral = "%#?".includes(character);
      at += 2;
    }
    if (character === "/" && !isLiteral) {
      if (state === "slash") continue;
      if (state === "dot") out = out.slice(0, -1);
      else if (state === "dots") {
        if (!upOne()) return null;
      } else out += "/";
      state = "slash";
      continue;
    }
    out += character;
    if (character === "." && state === "slash") state = "dot";
    else if (character === "." && state === "dot") state = "dots";
    else state = "usual";
  }
  if (state === "dot") out = out.slice(0, -1);
  if (state === "dots" && !upOne()) return null;
  return out;
}

describe("fuzz", () => {
  const CASES = 30_000;
  const PIECES = [
    "/",
    "/",
    "//",
    ".",
    "..",
    "/.",
    "/..",
    "/../",
    "a",
    "b.c",
    "%2e",
    "%2F",
    "%41",
    "%25",
    "%3f",
    "%23",
    "%",
    "%0",
    "%00",
    "%0a",
    "%fF",
    "?",
    "#",
    "+",
    "\xe9",
  ];

  test("agrees with a model of nginx's parser", () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 0x7fff_ffff);
    console.log(`uri-path fuzz: FUZZ_SEED=${seed}`);
    let random = seed;
    const below = (limit: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (random >>> 8) % limit;
    };
    for (let round = 0; round < CASES; round++) {
      let raw = "/";
      for (let count = below(12); count > 0; count--) raw += PIECES[below(PIECES.length)] ?? "";
      const decoded = decodePath(raw);
      expect([raw, decoded]).toEqual([raw, modelPath(raw)]);
      // What came out is normal: nothing in it is resolved again.
      if (decoded !== null) expect(decoded).not.toMatch(/^[^/]|\/\/|\/\.{1,2}(?:\/|$)/);
    }
  });
});
