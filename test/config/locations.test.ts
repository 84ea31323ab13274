/** nginx's precedence among locations, as a table; captures; malformed paths. */
import { describe, expect, test } from "bun:test";
import { compileLocations } from "../../src/config/locations.ts";

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
  });
  expect(match("/pub")).toEqual({ index: 1, captures: [], path: "/pub" });
  expect(match("/nothing")).toEqual({ index: -1, captures: [], path: "/nothing" });
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
