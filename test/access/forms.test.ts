/**
 * Small forms that come from anybody: patterns, members of JSON, lines of keys, marks of what was taken back.
 * Against naive models, with seeds that are told.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grantOfClaims } from "../../src/access/claims.ts";
import {
  digestOfKey,
  hashOfKey,
  idOfKey,
  isSameDigest,
  newKey,
  printKeyLine,
  readKeyLine,
} from "../../src/access/key-text.ts";
import { positionArguments, withoutArguments } from "../../src/access/position-arguments.ts";
import { PublisherKeys } from "../../src/access/publisher-keys.ts";
import { Revocations } from "../../src/access/revocations.ts";
import { Stander, Standings } from "../../src/access/standings.ts";
import { isPlain } from "../../src/access/token-text.ts";
import {
  compileNames,
  compilePatterns,
  patternFault,
  readPatterns,
  together,
} from "../../src/config/grant/patterns.ts";
import type { IssuerConfig } from "../../src/config/model/access.ts";
import type { RevokedMark, RevokeOutcome } from "../../src/store/revocations.ts";
import { locationWith } from "../location.ts";
import { randomBelow } from "../random.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9));
console.log(`seed of forms: ${seed}`);
const random = randomBelow(seed);
const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item;
const word = (letters: string, longest: number): string =>
  Array.from({ length: random(longest + 1) }, () => letters[random(letters.length)]).join("");

const SUB = `\${sub}`;

test("a key that was good before is known by its whole text, until its line is gone", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-keys-"));
  const path = join(folder, "keys");
  let nowMs = 0;
  const [one, other] = [newKey(), newKey()];
  const line = ({ key, id }: { key: string; id: string }): string =>
    printKeyLine({ name: id, id, hash: hashOfKey(key), publish: ["*"], subscribe: [] });
  writeFileSync(path, `${line(one)}\n${line(other)}\n`);
  const keys = new PublisherKeys(path, () => nowMs);
  for (const { key, id } of [one, other, one, one, other]) expect(keys.grantOf(key)?.sub).toBe(id);
  for (let at = 0; at < one.key.length; at++) {
    const letter = one.key[at] === "a" ? "b" : "a";
    expect(keys.grantOf(one.key.slice(0, at) + letter + one.key.slice(at + 1))).toBeNull();
  }
  for (const text of ["", one.key.slice(1), `${one.key}x`]) expect(keys.grantOf(text)).toBeNull();
  writeFileSync(path, `# ${line(one)}\n${line(other)}\n`);
  nowMs = 1001;
  expect([one, other].map(({ key }) => keys.grantOf(key)?.sub ?? null)).toEqual([null, other.id]);
  rmSync(folder, { recursive: true });
  nowMs = 2002;
  expect(keys.grantOf(other.key)).toBeNull();
});

test("patterns cover what a naive reading of them covers", () => {
  for (let round = 0; round < 3000; round++) {
    const patterns = Array.from(
      { length: random(4) },
      () => word("ab-", 3) + pick(["", "", SUB]) + word("ab", 2) + pick(["", "*"]),
    );
    const good = patterns.filter((pattern) => patternFault(pattern) === null);
    const sub = pick([null, "", "a", "ab", "*", "a*"]);
    const compiled = compilePatterns(good, sub);
    const name = word("ab-*", 5) + pick(["", "a", "ab"]);
    const naive = good.some((pattern) => {
      if (pattern.includes(SUB) && !sub) return false;
      const isPrefix = pattern.endsWith("*");
      const text = (isPrefix ? pattern.slice(0, -1) : pattern).split(SUB).join(sub ?? "");
      return isPrefix ? name.startsWith(text) : name === text;
    });
    expect([seed, good, sub, name, compiled.covers(name)]).toEqual([seed, good, sub, name, naive]);
    const other = compilePatterns([`${word("ab", 2)}*`], null);
    expect(together(compiled, other).covers(name)).toBe(naive || other.covers(name));
  }
});

test("a pattern is bounded, has one star at its end, and bytes are bytes", () => {
  for (const bad of ["", "a*b", "**", "*a", "a/b", "x".repeat(513), `\${other}`, "é".repeat(300)])
    expect([bad, patternFault(bad)]).not.toEqual([bad, null]);
  expect(readPatterns(new Array(257).fill("a"))).toBeNull();
  expect(readPatterns("a")).toBeNull();
  expect(readPatterns([1])).toBeNull();
  expect(readPatterns(undefined)).toEqual([]);
  expect(compilePatterns(["é*"], null).covers(Buffer.from("éa").toString("latin1"))).toBe(true);
  expect(compilePatterns(["é*"], null).covers("éa")).toBe(false);
  expect(compileNames(["a*"]).covers("ab")).toBe(false);
  expect(compileNames(["*"]).covers("ab")).toBe(true);
  // Everything at its largest, ten thousand times, is nothing.
  const many = compilePatterns(
    Array.from({ length: 256 }, (_, at) => `${"a".repeat(500)}${at}*`),
    null,
  );
  const startMs = performance.now();
  for (let asked = 0; asked < 10_000; asked++) many.covers("a".repeat(500));
  expect(performance.now() - startMs).toBeLessThan(2000);
});

test("members that stand twice are found in any JSON, and none that do not", () => {
  for (let round = 0; round < 3000; round++) {
    let isTwice = false;
    const value = (depth: number): string => {
      const kind = depth > 4 ? random(3) : random(5);
      if (kind < 3) return pick(["1", "null", '"a"', '"\\"{"', '"a\\\\"', "[]", "{}", '":"']);
      if (kind === 3) return `[${Array.from({ length: random(3) }, () => value(depth + 1)).join(" , ")}]`;
      const names = Array.from({ length: random(4) }, () =>
        pick(['"a"', '"b"', '"\\u0061"', '"\\""', '"{"']),
      );
      const read = names.map((name) => JSON.parse(name) as string);
      if (new Set(read).size < read.length) isTwice = true;
      return `{${names.map((name) => `${name}${pick(["", " ", "\n"])}: ${value(depth + 1)}`).join(",")}}`;
    };
    const json = value(0);
    JSON.parse(json);
    expect([seed, json, isPlain(json)]).toEqual([seed, json, !isTwice]);
  }
  expect(isPlain("[".repeat(8) + "]".repeat(8))).toBe(true);
  expect(isPlain("[".repeat(9) + "]".repeat(9))).toBe(false);
});

const ISSUER: IssuerConfig = {
  name: "app",
  issuer: null,
  audience: [],
  algorithms: ["HS256"],
  jwks: null,
  keyFile: null,
  keyVariable: "X",
  subscribe: [],
  publish: [],
  skewSec: 60,
};

test("claims of any shape give a grant or none, and never more than they say", () => {
  const shape = (depth: number): unknown =>
    pick<() => unknown>([
      () => "a",
      () => "*",
      () => 7,
      () => null,
      () => true,
      () => ["a"],
      () => ["a", 1],
      () => ({ subscribe: depth > 2 ? [] : shape(depth + 1), publish: depth > 2 ? ["b"] : shape(depth + 1) }),
      () => undefined,
    ])();
  for (let round = 0; round < 3000; round++) {
    const claims = {
      channels: shape(0),
      channel: shape(1),
      mercure: shape(0),
      sub: pick(["s", undefined, 7, ""]),
      exp: pick([undefined, 5, "x", null]),
    };
    const grant = grantOfClaims(claims, ISSUER);
    if (grant === null) continue;
    const text = JSON.stringify([claims.channels, claims.channel, claims.mercure]);
    if (!text.includes('"a"') && !text.includes('"*"'))
      expect([seed, claims, grant.subscribe.covers("a") || grant.publish.covers("a")]).toEqual([
        seed,
        claims,
        false,
      ]);
    expect(typeof grant.endMs).toBe("number");
    expect(grant.publish.covers("never named") && !text.includes('"*"')).toBe(false);
  }
});

test("a line of keys comes back as it was, and a key is told from another only by its whole", () => {
  for (let round = 0; round < 300; round++) {
    const { key, id } = newKey();
    const patterns = (): string[] =>
      Array.from({ length: random(3) }, () => `${word("aé ,%=$", 4)}x${pick(["*", ""])}`);
    const line = {
      name: `n${round}`,
      id,
      hash: hashOfKey(key),
      publish: patterns(),
      subscribe: [...patterns(), `${SUB}*`],
    };
    expect(readKeyLine(printKeyLine(line))).toEqual(line);
    expect(idOfKey(key)).toBe(id);
    expect(isSameDigest(digestOfKey(key), Buffer.from(line.hash, "base64url"))).toBe(true);
    expect(
      isSameDigest(digestOfKey(`${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`), digestOfKey(key)),
    ).toBe(false);
  }
  for (const bad of [
    "a",
    "a b c",
    "a abcdefghijkl short",
    `a abcdefghijkl ${"h".repeat(43)} other=x`,
    `a abcdefghijkl ${"h".repeat(43)} publish=a*b`,
    `a abcdefghijkl ${"h".repeat(43)} publish=%`,
  ])
    expect([bad, typeof readKeyLine(bad)]).toEqual([bad, "string"]);
  for (const none of ["", "  ", "# a"]) expect(readKeyLine(none)).toBeNull();
});

test("what is left of a query without where a subscriber stands", () => {
  const location = locationWith({
    channelsPath: "$arg_id",
    lastReceivedMessageTime: `\${http_if_modified_since|arg_time}`,
    lastReceivedMessageTag: "$arg_tag",
    // Also the channel: no position, whatever else it is.
    lastEventId: "$arg_id",
  });
  const names = positionArguments(location);
  expect(
    withoutArguments("id=1&TIME=2&tag=3&lastEventId=4&Last-Event-ID=5&eventid=6&who=me&time", names),
  ).toBe("id=1&who=me");
  expect(withoutArguments("", names)).toBe("");
});

test("what was taken back is what was said to be, until its time is over", () => {
  const marks: RevokedMark[] = [];
  let version = 0;
  const table = {
    get version() {
      return version;
    },
    marks: (nowSec: number) => marks.filter(({ untilSec }) => untilSec > nowSec),
    revoke: (mark: RevokedMark): RevokeOutcome => {
      marks.push(mark);
      version++;
      return "done";
    },
  };
  const revocations = new Revocations(table);
  const nowSec = Math.floor(Date.now() / 1000);
  const grant = (parts: { sub?: string; jti?: string; issuedSec?: number }) => ({
    ...(grantOfClaims({}, ISSUER) ?? fail()),
    sub: parts.sub ?? null,
    jti: parts.jti ?? null,
    issuedSec: parts.issuedSec ?? null,
  });
  expect(revocations.isRevoked(grant({ sub: "a" }))).toBe(false);
  revocations.revoke({ name: { kind: "sub", value: "a" }, issuedBeforeSec: null, untilSec: nowSec + 60 });
  revocations.revoke({ name: { kind: "jti", value: "t" }, issuedBeforeSec: null, untilSec: nowSec + 60 });
  revocations.revoke({ name: { kind: "sub", value: "b" }, issuedBeforeSec: 100, untilSec: nowSec + 60 });
  revocations.revoke({ name: { kind: "sub", value: "over" }, issuedBeforeSec: null, untilSec: nowSec - 1 });
  const cases: readonly (readonly [Parameters<typeof grant>[0], boolean])[] = [
    [{ sub: "a" }, true],
    [{ sub: "a", jti: "x", issuedSec: nowSec }, true],
    [{ sub: "c", jti: "t" }, true],
    // A name of the other kind is another name.
    [{ sub: "t" }, false],
    [{ jti: "a" }, false],
    [{ sub: "b", issuedSec: 99 }, true],
    [{ sub: "b", issuedSec: 100 }, false],
    [{ sub: "b" }, true],
    [{ sub: "over" }, false],
    [{}, false],
  ];
  for (const [parts, isRevoked] of cases)
    expect([parts, revocations.isRevoked(grant(parts))]).toEqual([parts, isRevoked]);
});

test("who was let in just before it was taken back does not stay; all go with his second", async () => {
  let version = 1;
  let marks: RevokedMark[] = [];
  const revocations = new Revocations({
    get version() {
      return version;
    },
    marks: () => marks,
    revoke: (mark) => {
      marks = [...marks, mark];
      version++;
      return "done";
    },
  });
  const standings = new Standings(revocations);
  const said: string[] = [];
  const nowMs = Date.now();
  const stand = (sub: string, endMs: number): Stander => {
    const grant = { ...(grantOfClaims({ sub }, ISSUER) ?? fail()), endMs };
    const stander: Stander = new Stander(grant, {
      dismiss: (why) => {
        said.push(`${sub} ${why}`);
        standings.remove(stander);
      },
    });
    standings.add(stander);
    return stander;
  };
  stand("early", Number.POSITIVE_INFINITY);
  standings.look(nowMs);
  revocations.revoke({
    name: { kind: "sub", value: "late" },
    issuedBeforeSec: null,
    untilSec: Math.floor(nowMs / 1000) + 60,
  });
  standings.look(nowMs);
  // Its request was looked at before, and it stands only now.
  stand("late", Number.POSITIVE_INFINITY);
  await Promise.resolve();
  expect(said).toEqual(["late revoked"]);
  const soon = [1500, 1600, 900].map((ms) => stand(`in ${ms}`, nowMs + ms));
  const renewed = stand("renewed", nowMs + 1000);
  standings.renew(renewed, { ...renewed.grant, endMs: nowMs + 100_000 });
  standings.look(nowMs + 850);
  expect(said).toEqual(["late revoked"]);
  standings.look(nowMs + 2600);
  expect(said.slice(1).sort()).toEqual(["in 1500 ended", "in 1600 ended", "in 900 ended"]);
  expect(standings.size).toBe(2);
  for (const each of [...soon, renewed]) standings.remove(each);
  standings.stop();
});

function fail(): never {
  throw new Error("no grant");
}
