/**
 * Deaths at every single write of every kind of change of a shared dictionary, as every-step.test.ts does it
 * for the store: each change is then done or not begun, nothing is emptied, and the next call works.
 */
import { afterAll, describe, expect, test } from "bun:test";
import type { DictionaryArena } from "../../src/store/dictionary/shared-change.ts";
import { DICT_EVICTED, DICT_EXPIRED, DICT_VERSION } from "../../src/store/dictionary/shared-layout.ts";
import { randomFraction } from "../random.ts";
import { removeTempFolders } from "./fixture.ts";
import { complain, dictionaryFaults, newArena, SharedDictionary } from "./shared-fixture.ts";
import { Steps } from "./stepping.ts";

afterAll(removeTempFolders);

const LONG = "long".repeat(100);

interface Case {
  readonly name: string;
  readonly prepare: (dictionary: SharedDictionary) => void;
  readonly work: (dictionary: SharedDictionary) => void;
}

const fill = (dictionary: SharedDictionary, count = 60): void => {
  for (let at = 0; at < count; at++) dictionary.set(`key ${at}`, at % 3 === 0 ? LONG : at);
};

const CASES: readonly Case[] = [
  { name: "a first number", prepare: () => undefined, work: (d) => d.incr("a") },
  { name: "counting", prepare: (d) => d.set("a", 0.5), work: (d) => [d.incr("a"), d.incr("a", 2 ** 40)] },
  { name: "a number in a number's place", prepare: (d) => d.set("a", 1), work: (d) => d.set("a", 2, 50) },
  { name: "a text among others", prepare: (d) => fill(d, 5), work: (d) => d.add("a", LONG, 50) },
  {
    name: "a longer and a shorter text in the place of the newest, the oldest and one between",
    prepare: (d) => fill(d, 6),
    work: (d) => ["key 5", "key 0", "key 3"].map((key) => [d.set(key, LONG + LONG), d.set(key, "short")]),
  },
  {
    name: "a text in a number's place, and back",
    prepare: (d) => fill(d, 2),
    work: (d) => [d.set("key 1", LONG), d.set("key 1", 2)],
  },
  { name: "room made for many", prepare: (d) => fill(d), work: (d) => d.set("large", LONG.repeat(4)) },
  {
    name: "room made past those that were read",
    prepare: (d) => {
      fill(d);
      for (const key of d.keys()) if (key.endsWith("7")) d.get(key);
    },
    work: (d) => [d.set("one", LONG), d.set("two", LONG)],
  },
  {
    name: "deletion",
    prepare: (d) => fill(d, 8),
    work: (d) => ["key 0", "key 4", "key 7", "no"].map((key) => d.delete(key)),
  },
];

describe.each(CASES)("$name", ({ prepare, work }) => {
  const arena = newArena(12 * 1024);
  prepare(new SharedDictionary(arena, complain));
  const before = arena.u8.slice();
  const stages = new Map<string, number>();
  const note = (): unknown => stages.has(digestOf(arena)) || stages.set(digestOf(arena), stages.size);
  note();
  const whole = new Steps(arena);
  let version = arena.u32[DICT_VERSION];
  const realWrite = whole.write.bind(whole);
  whole.write = (...write) => {
    realWrite(...write);
    const now = arena.u32[DICT_VERSION]!;
    if (now !== version && (now & 1) === 0) note();
    version = now;
  };
  whole.run(() => work(dying(whole.arena)));

  test("killed before any of its writes: each change is done, or not begun", () => {
    expect(stages.size).toBeGreaterThan(1);
    let reached = 0;
    for (let step = 0; step <= whole.writes.length; step++) {
      arena.u8.set(before);
      const steps = new Steps(arena, step);
      expect(steps.run(() => work(dying(steps.arena)))).toBe(step < whole.writes.length);
      const stage = repairedStage(arena, stages);
      expect(stage).toBeGreaterThanOrEqual(reached);
      expect(stage).toBeLessThanOrEqual(reached + 1);
      reached = stage;
    }
    expect(reached).toBe(stages.size - 1);
  });

  test("killed with any part of the plain writes between two atomic ones done, as is the repairer", () => {
    const random = randomFraction(whole.writes.length);
    for (let from = 0; from < whole.writes.length; ) {
      const atomic = whole.writes.findIndex((write, at) => at >= from && write.isAtomic);
      const to = atomic < 0 ? whole.writes.length : atomic;
      for (let draw = 0; draw < Math.min(12, to - from); draw++) {
        arena.u8.set(before);
        for (const [at, { bytes, byteOffset }] of whole.writes.slice(0, to).entries())
          if (at < from || random() < 0.5) arena.u8.set(bytes, byteOffset);
        const repair = new Steps(arena, Math.floor(random() * 20));
        repair.run(() => dying(repair.arena).repairAfterDeath(process.pid));
        repairedStage(arena, stages);
      }
      from = to + 1;
    }
  });
});

/** One whose process dies of an error instead of mending what it was at. */
const dying = (arena: DictionaryArena): SharedDictionary =>
  new SharedDictionary({ ...arena, fault: () => undefined }, complain);

function repairedStage(arena: DictionaryArena, stages: ReadonlyMap<string, number>): number {
  const dictionary = new SharedDictionary(arena, complain);
  dictionary.repairAfterDeath(process.pid);
  expect(dictionaryFaults(arena)).toEqual([]);
  expect(dictionary.counts().emptied).toBe(0);
  const digest = digestOf(arena);
  if (!stages.has(digest)) expect(digest).toBe([...stages.keys()].join("\n--\n"));
  dictionary.set("next", LONG);
  expect(dictionary.get("next")).toBe(LONG);
  expect(dictionaryFaults(arena)).toEqual([]);
  return stages.get(digest)!;
}

function digestOf(arena: DictionaryArena): string {
  const dictionary = new SharedDictionary({ ...arena, u8: arena.u8.slice() }, complain);
  const { u32 } = arena;
  const isHeld = dictionary.lockOwner();
  if (isHeld !== 0) u32[16] = 0;
  const lines = dictionary
    .keys(10_000)
    .sort()
    .map((key) => `${key}=${JSON.stringify(dictionary.get(key))} ${Number.isFinite(dictionary.ttl(key))}`);
  u32[16] = isHeld;
  return [`${u32[DICT_EVICTED]} ${u32[DICT_EXPIRED]} ${dictionary.counts().usedBytes}`, ...lines].join("\n");
}
