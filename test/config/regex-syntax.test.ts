/** Regular expressions as trees: the groups they have, and what their atoms stand for. */
import { expect, test } from "bun:test";
import { ALL_BYTES, parseRegex } from "../../src/config/regex/regex-syntax.ts";

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
    const tree = parseRegex(source, "s");
    expect([source, tree.groups, Object.fromEntries(tree.names)]).toEqual([source, groups, names]);
    // The engine's own count: an alternative that is empty makes any regex match.
    expect(new RegExp(`${source}|`).exec("")?.length).toBe(groups + 1);
  }
});

test("an atom is the bytes that the engine takes for it", () => {
  const setOf = (source: string, flags: string): string => {
    const { root } = parseRegex(source, flags);
    if (root.kind !== "byte") return root.kind;
    if (root.set === ALL_BYTES) return "all";
    return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
      .filter((_, byte) => ((root.set >> BigInt(byte)) & 1n) === 1n)
      .join("");
  };
  const cases: readonly (readonly [source: string, flags: string, set: string])[] = [
    ["a", "s", "a"],
    ["k", "si", "Kk"],
    ["(?i:a)", "s", "Aa"],
    [".", "s", "all"],
    ["[^]", "", "all"],
    ["\\x41", "", "A"],
    ["\\101", "", "back reference"],
    ["\\060", "", "0"],
    ["[a-c\\]]", "", "]abc"],
    ["\\xe9", "si", "\xc9\xe9"],
    ["\\.", "", "."],
    ["{", "", "{"],
    ["\\b", "", "edge"],
  ];
  for (const [source, flags, set] of cases) expect([source, setOf(source, flags)]).toEqual([source, set]);
  expect(setOf("(?-s:.)", "s")).not.toBe("all");
});
