/** The screen against regexes that blow up, and the groups it counts. */
import { describe, expect, test } from "bun:test";
import { regexShape } from "../../src/config/regex-shape.ts";

describe("refused", () => {
  test.each([
    ["(a+)+$", "nested quantifiers"],
    ["(a*)*", "nested quantifiers"],
    ["(.*)*x", "nested quantifiers"],
    ["(?:a|b+)+", "nested quantifiers"],
    ["([a-z]+)*", "nested quantifiers"],
    ["((ab)+c)*", "nested quantifiers"],
    ["(a{2,})*", "nested quantifiers"],
    ["(\\w{1,3})*x", "nested quantifiers"],
    ["(a+){20}", "nested quantifiers"],
    ["(?<n>x+)+?", "nested quantifiers"],
    ["(?=(a+)+b)", "nested quantifiers"],
    ["((a)\\2)*", "nested quantifiers"],
    ["(a?)*", "can be empty"],
    ["(a?){25}a{25}", "can be empty"],
    ["(|a)+", "can be empty"],
    ["(a|a)*b", "start with the same character"],
    ["(a|a|b)*", "start with the same character"],
    ["(x(a|a))*", "start with the same character"],
    ["(a|ab)+", "start with the same character"],
    ["(?:\\d|[0-5])*", "start with the same character"],
    ["(?:.|x)*", "start with the same character"],
  ])("%s", (source, why) => {
    expect(regexShape(source, false).hazard).toContain(why);
  });

  test("alternatives that are alike only without case", () => {
    expect(regexShape("(?:a|A)*", false).hazard).toBeNull();
    expect(regexShape("(?:a|A)*", true).hazard).toContain("same character");
  });
});

test.each([
  "^/sub/(.*)$",
  "^/(.*)/(.*)$",
  "^/ev/([a-z0-9_-]+)/([^/]+)$",
  "\\.(gif|jpg|png)$",
  "^/(?:a|b)+$",
  "^/(?:ab|cd)*$",
  "(?:a+){3}",
  "a{2,5}b*",
  "[*+(]+",
  "\\(a+\\)+",
  "(a+)\\+",
  "x{,3}",
  "[\\]+]+",
  "(?<=a+)b",
  "^",
  "",
])("%s passes", (source) => {
  expect(regexShape(source, false).hazard).toBeNull();
});

test("groups are counted as the engine counts them", () => {
  const cases: readonly (readonly [string, number, Record<string, number>])[] = [
    ["a", 0, {}],
    ["(a)(?:b)(c)", 2, {}],
    ["(?<room>.*)-(x)", 2, { room: 1 }],
    ["(a)((?<in>b)|c)(?=d)(?!e)(?<=f)(?<!g)(?i:h)", 3, { in: 3 }],
    ["[(](\\()\\((a)", 2, {}],
    ["[^(\\]](x)", 1, {}],
  ];
  for (const [source, groups, names] of cases) {
    const shape = regexShape(source, false);
    expect([source, shape.groups, Object.fromEntries(shape.names)]).toEqual([source, groups, names]);
    // The engine's own count: an alternative that is empty makes any regex match.
    expect(new RegExp(`${source}|`).exec("")?.length).toBe(groups + 1);
  }
});
