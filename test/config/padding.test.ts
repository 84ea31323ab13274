/** padding_by_user_agent: groups, and rows 10 to 12 of push-stream spec 1.6; and the regexes of nginx. */
import { describe, expect, test } from "bun:test";
import { parsePadding } from "../../src/config/location/padding.ts";
import { pcreSource } from "../../src/config/regex/pcre.ts";

const UNPARSABLE = "unable to parse paddings by user agent";

describe("groups", () => {
  test.each<[string, readonly (readonly [string, number, number])[]]>([
    ["", []],
    ["[T|t]est 1,1024,508", [["[T|t]est 1", 1024, 508]]],
    [
      "[T|t]est 1,1024,508:MSIE,0,1",
      [
        ["[T|t]est 1", 1024, 508],
        ["MSIE", 0, 1],
      ],
    ],
    ["a,b,1,2", [["a,b", 1, 2]]],
    ["a,1,2:", [["a", 1, 2]]],
  ])("%p", (text, groups) => {
    const outcome = parsePadding(text);
    if (!outcome.ok) throw new Error(outcome.sentences.join());
    expect(
      outcome.groups.map((group) => [group.regex.native.source, group.headerMin, group.messageMin]),
    ).toEqual(groups.map((group) => [...group]));
  });

  test("the regex is unanchored and minds case", () => {
    const outcome = parsePadding("MSIE [5-8],1,2");
    if (!outcome.ok) throw new Error(outcome.sentences.join());
    const regex = outcome.groups[0]?.regex;
    expect([regex?.test("x MSIE 7;"), regex?.test("x msie 7;")]).toEqual([true, false]);
  });
});

describe("faults", () => {
  test.each<[string, readonly string[]]>([
    ["user_agent,as,df", ["padding pattern not match the value user_agent,as,df", UNPARSABLE]],
    ["user_agent;10;0", ["padding pattern not match the value user_agent;10;0", UNPARSABLE]],
    ["a,1,2:b;3;4", ["padding pattern not match the value b;3;4", UNPARSABLE]],
    ["a,10,0:b;20;0:c,30,0", ["error applying padding pattern to b;20;0:c,30,0", UNPARSABLE]],
    ["(,1,2", ["unable to compile agent pattern (", UNPARSABLE]],
  ])("%p", (text, sentences) => {
    expect(parsePadding(text)).toEqual({ ok: false, sentences: [...sentences] });
  });

  test("a regex that a long user agent could hang is refused", () => {
    const outcome = parsePadding("(a+)+\\1$,1,2");
    expect(outcome.ok ? "" : outcome.sentences[0]).toContain("can take far too long");
  });
});

test.each([
  ["^/a(?P<id>.*)$", "^/a(?<id>.*)$", false],
  ["(?i)\\A/a\\z", "^/a$", true],
  ["[[:alnum:]_]+", "[A-Za-z0-9_]+", false],
  ["[]a]", "[\\]a]", false],
  ["[^]a]", "[^\\]a]", false],
  ["\\.php$", "\\.php$", false],
  ["(?'n'x)(?P=n)", "(?<n>x)\\k<n>", false],
  ["[", "[", false],
  ["a\\", "a\\", false],
])("PCRE %p is %p here", (text, source, ignoreCase) => {
  expect(pcreSource(text)).toEqual({ source, ignoreCase });
});
