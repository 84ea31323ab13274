/** nginx's precedence among locations, as a table; captures; malformed paths. */
import { describe, expect, test } from "bun:test";
import { compileLocations } from "../../src/config/location/locations.ts";

const matcherOf = (matches: readonly string[]) => compileLocations(matches.map((match) => ({ match })));

describe("precedence", () => {
  const CASES: readonly (readonly [path: string, winner: string, matches: readonly string[]])[] = [
    ["/a", "= /a", ["~ ^/a", "/a", "= /a"]],
    ["/a", "= /a", ["^~ /a", "= /a"]],
    ["/ab", "~ ^/a", ["/ab", "~ ^/a", "= /a"]],
    ["/ab", "^~ /a", ["~ ^/a", "^~ /a"]],
    // The longest prefix decides whether regexes are asked, not any "^~".
    ["/abc", "~ ^/a", ["^~ /a", "/ab", "~ ^/a"]],
    ["/abc", "^~ /ab", ["/a", "^~ /ab", "~ ^/a"]],
    ["/abc", "/ab", ["/a", "/ab", "/", "~ ^/x"]],
    ["/abc", "~ c$", ["~ c$", "~ ^/a"]],
    ["/abc", "~ ^/a", ["~ ^/a", "~ c$"]],
    ["/ABC", "~* ^/abc", ["~ ^/abc", "~* ^/abc", "/"]],
    ["/anything", "/", ["/", "= /", "/b"]],
    ["/", "= /", ["/", "= /"]],
    ["/x/../a", "= /a", ["= /a", "/x"]],
    ["//a", "= /a", ["= /a"]],
    ["/%61", "= /a", ["= /a"]],
    ["/caf%C3%A9", "= /café", ["= /café"]],
    ["/caf%C3%A9", "~ é$", ["~ é$"]],
    ["/a%0Ab", "~ ^/(.*)$", ["~ ^/(.*)$"]],
    ["/a", "none", ["= /b", "/ab", "~ ^/$"]],
    ["/A", "none", ["/a"]],
    ["/a", "none", []],
  ];
  test.each(CASES)("%s goes to %s", (path, winner, matches) => {
    const found = matcherOf(matches)(path);
    expect(matches[found?.index ?? -1] ?? "none").toBe(winner);
  });

  test("the order of prefixes in the file does not matter", () => {
    const matches = ["/", "/a", "/a/b", "^~ /a/c"];
    for (const order of [matches, matches.toReversed()]) {
      const match = matcherOf(order);
      expect(["/x", "/a/x", "/a/b/x", "/a/c"].map((path) => order[match(path)?.index ?? -1])).toEqual(
        matches,
      );
    }
  });
});

test("captures are decoded bytes, [0] is the whole match, missing groups are empty", () => {
  const match = matcherOf(["~ ^/(?<kind>ev|ws)/([^/]*)(/x)?$", "= /pub"]);
  expect(match("/ev/%C3%A9%25%ff")).toEqual({
    index: 0,
    captures: ["/ev/\xc3\xa9%\xff", "ev", "\xc3\xa9%\xff", ""],
    path: "/ev/\xc3\xa9%\xff",
    isTooLong: false,
  });
  expect(match("/pub")).toEqual({ index: 1, captures: [], path: "/pub", isTooLong: false });
  expect(match("/nothing")).toEqual({ index: -1, captures: [], path: "/nothing", isTooLong: false });
});

test("a malformed path is null", () => {
  const match = matcherOf(["/"]);
  for (const path of ["/%", "/%zz", "/a/../..", "/%00", "*"]) expect(match(path)).toBeNull();
});

test("the kept last answer is not given to another path", () => {
  const match = matcherOf(["= /a", "~ ^/(b.*)$"]);
  const said = ["/a", "/a", "/%", "/%", "/b1", "/b2", "/b2", "/a"].map((path) => {
    const found = match(path);
    return found === null ? "bad" : `${found.index}${found.captures[1] ?? ""}`;
  });
  expect(said).toEqual(["0", "0", "bad", "bad", "1b1", "1b2", "1b2", "0"]);
});

test("a match that the check would refuse is thrown, not ignored", () => {
  expect(() => matcherOf(["~ ("])).toThrow("bad regular expression");
});

test("many regexes are tried in the order of the file, whatever they are asked together with", () => {
  const matches = [
    ...Array.from({ length: 30 }, (_, i) => `~ ^/a${i}/(.*)$`),
    "~ ^/(?<room>r)/(.*)$",
    "~ ^/(x)\\1/(.*)$",
    "~* ^/UPPER/(.*)$",
    ...Array.from({ length: 30 }, (_, i) => `~ /b${i}/(.*)`),
    "~ (.*)/last$",
  ];
  const find = matcherOf(matches);
  const of = (path: string) => {
    const match = find(path);
    return [match?.index, match?.captures[match.captures.length - 1]];
  };
  expect(of("/a7/c")).toEqual([7, "c"]);
  expect(of("/a29/c/b3/d")).toEqual([29, "c/b3/d"]);
  expect(of("/r/c")).toEqual([30, "c"]);
  expect(of("/xx/c")).toEqual([31, "c"]);
  expect(of("/xy/c")).toEqual([-1, undefined]);
  expect(of("/upper/c")).toEqual([32, "c"]);
  expect(of("/z/b29/c")).toEqual([62, "c"]);
  expect(of("/z/b0/b29/last")).toEqual([33, "b29/last"]);
  expect(of("/none/last")).toEqual([63, "/none"]);
});

test("a path is too long when the next regex does not take it, not before", () => {
  const matches = ["= /a", "~ ^/b/(.*)$", "~ ^/(.*)/(.*)/(.*)/c$", "/"];
  const find = matcherOf(matches);
  const long = "x".repeat(9000);
  const said = ["/a", `/b/${long}`, `/${long}/x/y/c`, "/x/y/z/c", "/x"].map((path) => {
    const found = find(path);
    return found?.isTooLong ? "too long" : matches[found?.index ?? -1];
  });
  expect(said).toEqual(["= /a", "~ ^/b/(.*)$", "too long", "~ ^/(.*)/(.*)/(.*)/c$", "/"]);
});
