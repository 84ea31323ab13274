/**
 * No regular expression of a configuration can hold a worker: which engine is asked for which texts. That the
 * bound of steps holds and that the two engines agree is shown over random expressions. FUZZ_SEED runs one
 * again.
 */
import { describe, expect, test } from "bun:test";
import { boundedRegex } from "../../src/config/regex/bounded-regex.ts";
import { mostSteps } from "../../src/config/regex/regex-cost.ts";
import { linearRegex } from "../../src/config/regex/regex-linear.ts";
import { parseRegex } from "../../src/config/regex/regex-syntax.ts";
import { Random } from "../random.ts";
import { countSteps, MOST_COUNTED } from "./backtracking.ts";
import { randomRegex } from "./random-regex.ts";

describe("the engine for short and long texts", () => {
  test.each([
    "^/sub/(.*)$",
    "^/ev/([a-z0-9_-]+)/([^/]+)$",
    "^/(.*)/(.*)$",
    "^/(.*)/x/(.*)$",
    "\\.(gif|jpg|png)$",
    "/app7/(.*)",
    "^/(?:ab|cd)*$",
    "^/(?:a|b)+$",
    "^/(\\w+)-(\\w+)(?:\\.json)?$",
    "^/(?!admin)(.*)$",
    "^(?<room>[a-z0-9]+)\\.example\\.org$",
    "",
  ])("%s: always the runtime's", (source) => {
    const outcome = boundedRegex(source, "s");
    expect(outcome.ok && outcome.regex.nativeUpTo).toBe(131_072);
    expect(outcome.ok && outcome.regex.longest).toBe(131_072);
  });

  test.each<[source: string, short: number]>([
    ["^/(.*)/(.*)/(.*)$", 100],
    ["^(.*)\\.(php|html?)(/.*)?$", 100],
    ["[^/]+\\.json$", 100],
    ["^/c/(.*)/(.*)/(.*)\\.json$", 20],
    ["^/(?!admin)(.*)/(.*)/(.*)\\.json$", 20],
    ["^(?=/api/)(?!/api/v2/).*?(?:/(.*)/x)", 100],
    ["(?<=/)x.*y.*z$", 20],
    ["(a+)+$", 1],
    ["(a|a)*b", 1],
    ["^a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b$", 0],
    ["(?:(a)|b)*$", -1],
    ["(a*)*", -1],
  ])("%s: the runtime's for a text of %d, the linear one up to a line's length", (source, short) => {
    const outcome = boundedRegex(source, "s");
    if (!outcome.ok) throw new Error(outcome.sentence);
    expect(outcome.regex.nativeUpTo).toBeWithin(short, short < 20 ? 20 : 1000);
    expect(outcome.regex.longest).toBe(8192);
  });

  test.each([
    ["(a+)+\\1", "a text of"],
    ["foo.*(?!bar).*z.*y", "a text of"],
    ["((a)\\2)*(.*)(.*)b", "a text of"],
    ["(.{0,900}a)(.{0,900}b)(.{0,900}c)$", "is too large"],
    ["(", "bad regular expression"],
  ])("%s is refused", (source, why) => {
    const outcome = boundedRegex(source, "s");
    expect(outcome.ok ? "" : outcome.sentence).toContain(why);
  });

  test("what only the runtime's engine can do has a shorter longest text", () => {
    const outcome = boundedRegex("foo.*(?!bar)z", "s");
    expect(outcome.ok && outcome.regex.longest).toBeWithin(1024, 8192);
  });
});

test("captures of long texts are those of short ones, names and bytes included", () => {
  const outcome = boundedRegex("^/(?<room>[^/]*)/(.*)/(.*)/(x)?(.*)\\.json$", "si");
  if (!outcome.ok) throw new Error(outcome.sentence);
  const { regex } = outcome;
  expect(regex.names).toEqual([["room", 1]]);
  for (const length of [1, 2000]) {
    const long = "\xff\n".repeat(length);
    expect(Array.from(regex.exec(`/\xc3\xa9/${long}/b/c.JSON`) ?? []).slice(1)).toEqual([
      "\xc3\xa9",
      long,
      "b",
      undefined,
      "c",
    ]);
    expect(regex.exec(`/\xc3\xa9/${long}/b/c.jso`)).toBeNull();
  }
});

describe("random expressions", () => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
  const cases = 4000;

  test(`an engine that backtracks takes no more steps than were counted (seed ${seed})`, () => {
    const random = new Random(seed);
    for (let i = 0; i < cases; i++) {
      const source = randomRegex(random);
      const { root } = parseRegex(source, "s");
      const text = random.text(["a", "b", "/", "ab", "aaaa"], 10);
      const taken = countSteps(root, text);
      if (taken < MOST_COUNTED && taken > mostSteps(root, text.length))
        throw new Error(`${source} on ${text}: ${taken} steps, ${mostSteps(root, text.length)} at most`);
    }
  });

  test(`where both engines are asked they capture the same (seed ${seed})`, () => {
    const random = new Random(seed + 1);
    let compared = 0;
    for (let i = 0; i < cases; i++) {
      const source = randomRegex(random);
      const outcome = boundedRegex(source, "s");
      if (!outcome.ok || outcome.regex.nativeUpTo < 12 || outcome.regex.nativeUpTo > 8192) continue;
      const linear = linearRegex(parseRegex(source, "s"));
      const text = random.text(["a", "b", "/", "ab", "/a"], 6);
      const ours = linear?.exec(text) ?? null;
      const natives = new RegExp(source, "s").exec(text);
      compared++;
      const filled = (found: readonly (string | undefined)[] | null) =>
        found === null ? null : Array.from(found, (group) => group ?? "");
      expect([source, text, filled(ours)]).toEqual([source, text, filled(natives)]);
    }
    expect(compared).toBeGreaterThan(cases / 50);
  });
});
