/**
 * Shared dictionaries: what each call does, compared with a naive one, with bad input, and with several
 * processes at once.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  closeDictionary,
  dictionaryPath,
  openDictionary,
  removeDictionaries,
} from "../../src/store/dictionary/shared-file.ts";
import { DICT_NEWEST, DICT_OLDEST, ENTRY_OLDER } from "../../src/store/dictionary/shared-layout.ts";
import { entryWord } from "../../src/store/dictionary/shared-reading.ts";
import type { SharedValue } from "../../src/store/dictionary/shared-value.ts";
import { release, tryAcquire } from "../../src/store/lock/lock.ts";
import { HEAD_CLEAN } from "../../src/store/memory/layout-header.ts";
import { randomBelow } from "../random.ts";
import { removeTempFolders, tempPath } from "./fixture.ts";
import { complain, dictionaryFaults, newArena, newDictionary, SharedDictionary } from "./shared-fixture.ts";

afterAll(removeTempFolders);

test("what is put in comes out as it was: numbers, texts, bytes and JSON", () => {
  const dictionary = newDictionary(1024 ** 2);
  const values: readonly SharedValue[] = [
    0,
    -0.5,
    2 ** 53,
    Number.MIN_VALUE,
    "",
    "grüße 🎈",
    "x".repeat(5000),
  ];
  const more: readonly SharedValue[] = [
    new Uint8Array(0),
    new Uint8Array([0, 255, 7]),
    null,
    true,
    { a: [1, null, "b"] },
    [],
  ];
  for (const [at, value] of [...values, ...more].entries()) {
    dictionary.set(`key ${at}`, value);
    expect(dictionary.get(`key ${at}`)).toEqual(value);
  }
  for (const key of ["k".repeat(64_000), "schlüssel", "a\0b"]) {
    dictionary.set(key, key.length);
    expect(dictionary.get(key)).toBe(key.length);
  }
  expect(dictionary.get("not there")).toBeUndefined();
});

test("add, replace, delete, incr and ttl say what they did", async () => {
  const dictionary = newDictionary();
  expect([dictionary.add("a", 1), dictionary.add("a", 2), dictionary.get("a")]).toEqual([true, false, 1]);
  expect([dictionary.replace("b", 1), dictionary.replace("a", "text"), dictionary.get("a")]).toEqual([
    false,
    true,
    "text",
  ]);
  expect([dictionary.delete("a"), dictionary.delete("a")]).toEqual([true, false]);
  expect([dictionary.incr("n"), dictionary.incr("n", 2), dictionary.incr("n", -0.5)]).toEqual([1, 3, 2.5]);
  expect([dictionary.incr("m", 1, 10, 60), dictionary.incr("m", 1, 10, 900)]).toEqual([11, 12]);
  expect(dictionary.ttl("m")).toBeWithin(50, 60.1);
  expect([dictionary.ttl("n"), dictionary.ttl("no")]).toEqual([Number.POSITIVE_INFINITY, undefined]);
  expect(dictionary.keys().sort()).toEqual(["m", "n"]);
  dictionary.set("n", 5, 0.001);
  dictionary.set("t", "text", 0.001);
  while (dictionary.get("t") !== undefined) await Bun.sleep(1);
  expect([dictionary.get("n"), dictionary.ttl("n"), dictionary.keys()]).toEqual([
    undefined,
    undefined,
    ["m"],
  ]);
  expect([dictionary.replace("n", 1), dictionary.add("n", 1), dictionary.incr("t")]).toEqual([
    false,
    true,
    1,
  ]);
});

test("what cannot be kept is refused with a sentence, and changes nothing", () => {
  const dictionary = newDictionary();
  dictionary.set("number", 1e308);
  dictionary.set("text", "x");
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const bad: [() => unknown, RegExp][] = [
    [() => dictionary.set("", 1), /1 to 65535 bytes/],
    [() => dictionary.set("k".repeat(65_536), 1), /1 to 65535 bytes/],
    [() => dictionary.set("ü".repeat(40_000), 1), /1 to 65535 bytes/],
    [() => dictionary.set("\ud800", 1), /half of a character/],
    [() => dictionary.set("a", "\udc00"), /half of a character/],
    [() => Reflect.apply(dictionary.get, dictionary, [7]), /a key is a text/],
    [() => dictionary.set("a", Number.NaN), /finite/],
    [() => dictionary.set("a", Number.POSITIVE_INFINITY), /finite/],
    [() => Reflect.apply(dictionary.set, dictionary, ["a", undefined]), /undefined cannot be kept/],
    [() => Reflect.apply(dictionary.set, dictionary, ["a", () => 1]), /function cannot be kept/],
    [() => Reflect.apply(dictionary.set, dictionary, ["a", circle]), /cyclic/i],
    [() => dictionary.set("a", "x".repeat(70_000)), /this dictionary takes/],
    [() => dictionary.set("a", 1, -1), /time to live/],
    [() => dictionary.set("a", 1, Number.NaN), /time to live/],
    [() => dictionary.incr("number", 1e308), /finite/],
    [() => dictionary.incr("number", Number.NaN), /finite/],
    [() => dictionary.incr("text"), /no number/],
    [() => dictionary.keys(0), /limit/],
  ];
  for (const [work, sentence] of bad) expect(work).toThrow(sentence);
  expect([dictionary.get("number"), dictionary.get("text"), dictionary.get("a")]).toEqual([
    1e308,
    "x",
    undefined,
  ]);
});

test("a value whose toJSON asks the dictionary itself goes under its own key", () => {
  const dictionary = newDictionary();
  dictionary.set("other", 5);
  const value = { toJSON: () => dictionary.get("other") ?? null };
  Reflect.apply(dictionary.set, dictionary, ["own", value]);
  expect([dictionary.get("own"), dictionary.get("other")]).toEqual([5, 5]);
});

test("when it is full, those go that nobody read or wrote for longest; that is counted", () => {
  const dictionary = newDictionary(16 * 1024);
  for (const key of ["read", "counted", "left"]) dictionary.set(key, 1);
  for (let at = 0; dictionary.counts().evicted < 60; at++) {
    dictionary.set(`key ${at}`, "x");
    dictionary.get("read");
    dictionary.incr("counted");
  }
  expect(dictionary.get("left")).toBeUndefined();
  expect(dictionary.get("read")).toBe(1);
  expect(dictionary.get("counted")).toBeGreaterThan(60);
  for (let at = 0; at < 200; at++) dictionary.set(`gone ${at}`, "x", 0.001);
  expect(dictionary.counts().usedBytes).toBeLessThanOrEqual(dictionary.counts().bytes);
});

test("a hundred thousand keys stay within the size", () => {
  const arena = newArena(256 * 1024);
  const dictionary = new SharedDictionary(arena, complain);
  for (let at = 0; at < 100_000; at++) dictionary.set(`key ${at}`, at);
  const { entries, evicted } = dictionary.counts();
  expect(entries + evicted).toBe(100_000);
  expect(dictionary.get("key 99999")).toBe(99_999);
  expect([dictionary.keys().length, dictionary.keys(10).length]).toEqual([1000, 10]);
  expect(dictionaryFaults(arena)).toEqual([]);
});

test("as a naive dictionary does it, over some thousand calls", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomBelow(seed);
  const arena = newArena(256 * 1024);
  const dictionary = new SharedDictionary(arena, complain);
  const model = new Map<string, SharedValue>();
  for (let call = 0; call < 20_000; call++) {
    const key = `key ${random(200)}`.repeat(1 + random(3) * 20);
    const kind = random(7);
    const value = kind % 2 === 0 ? random(1000) : "v".repeat(random(400));
    const known = model.get(key);
    if (kind < 3) model.set(key, value);
    else if (kind === 3 && known === undefined) model.set(key, value);
    else if (kind === 4 && known !== undefined) model.set(key, value);
    else if (kind === 5) model.delete(key);
    if (kind < 3) dictionary.set(key, value);
    else if (kind === 3) expect(dictionary.add(key, value)).toBe(known === undefined);
    else if (kind === 4) expect(dictionary.replace(key, value)).toBe(known !== undefined);
    else if (kind === 5) expect(dictionary.delete(key)).toBe(known !== undefined);
    else if (typeof known !== "string") model.set(key, dictionary.incr(key));
    if (dictionary.get(key) !== model.get(key)) throw new Error(`seed ${seed}, call ${call}: ${key}`);
  }
  expect(dictionary.counts().entries).toBe(model.size);
  expect(dictionary.keys(10_000).sort()).toEqual([...model.keys()].sort());
  expect(dictionaryFaults(arena)).toEqual([]);
});

test("a link that leads nowhere empties the dictionary, counted, instead of hanging or spreading", () => {
  const arena = newArena();
  const dictionary = new SharedDictionary(arena, complain);
  for (let at = 0; at < 2000; at++) dictionary.set(`key ${at}`, at);
  arena.u32[entryWord(arena.layout, arena.u32[DICT_NEWEST]!) + ENTRY_OLDER] = 0x7fffffff;
  arena.u32[DICT_OLDEST] = 0x7fffffff;
  expect(() => dictionary.set("more", 1)).toThrow("busy");
  expect(dictionary.counts()).toMatchObject({ entries: 0, emptied: 1 });
  dictionary.set("more", 1);
  expect(dictionaryFaults(arena)).toEqual([]);
});

test("a file is kept where that was asked for and it was closed, or of this boot; else it is empty", () => {
  const path = tempPath();
  const first = openDictionary(path, 65_536, true);
  new SharedDictionary(first.arena, complain).set("a", "kept");
  closeDictionary(first.arena);
  const opened = [
    openDictionary(path, 65_536, true), // closed in order
    openDictionary(path, 65_536, true), // not closed, same boot
    openDictionary(path, 131_072, true), // another size
    openDictionary(path, 131_072, false), // not asked for
  ];
  expect(opened.map(({ isKept }) => isKept)).toEqual([true, true, false, false]);
  expect(new SharedDictionary(opened[1]!.arena, complain).get("a")).toBe("kept");
  expect(opened[3]!.arena.u32[HEAD_CLEAN]).toBe(0);
  const [one, other] = ["one", "other"].map((name) => dictionaryPath(path, { name, size: 16_384 }));
  for (const each of [one!, other!]) openDictionary(each, 16_384, false);
  removeDictionaries(path, (each) => each === one);
  expect([existsSync(one!), existsSync(other!)]).toEqual([true, false]);
});

// --- several processes -------------------------------------------------------------------------------------

type Child = Awaited<ReturnType<typeof child>>;

async function child(path: string, work: string, count: number) {
  const script = `${import.meta.dir}/shared-process.ts`;
  const started = Bun.spawn([process.execPath, script, path, work, String(count)], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const reader = started.stdout.getReader();
  await reader.read();
  return { process: started, reader };
}

function go({ process: { stdin } }: Child): void {
  stdin.write("go\n");
  stdin.flush();
}

async function saidBy({ reader }: Child): Promise<number> {
  const { value } = await reader.read();
  return Number(new TextDecoder().decode(value));
}

test("incr and add are atomic over processes: no count is lost, and each key is added by one", async () => {
  const arena = newArena(1024 ** 2);
  const dictionary = new SharedDictionary(arena, complain);
  const works = ["count", "count", "add", "add"];
  const children = await Promise.all(
    works.map((work) => child(arena.path, work, work === "add" ? 3000 : 100_000)),
  );
  for (const each of children) go(each);
  const [, , one, other] = await Promise.all(children.map(saidBy));
  expect(dictionary.get("sum")).toBe(200_000);
  expect(one! + other!).toBe(3000);
  expect(dictionaryFaults(arena)).toEqual([]);
});

test("kill -9 at any moment leaves a dictionary that works on; readers never see a torn text", async () => {
  const arena = newArena(128 * 1024);
  const dictionary = new SharedDictionary(arena, complain);
  const other = await child(arena.path, "mixed", 60_000);
  go(other);
  for (let round = 0; round < 4; round++) {
    const victim = await child(arena.path, "mixed", 1e9);
    const before = dictionary.incr("sum", 0);
    go(victim);
    while (dictionary.get("sum") === before) await Bun.sleep(1);
    await Bun.sleep(Math.random() * 20);
    victim.process.kill("SIGKILL");
    await victim.process.exited;
    dictionary.repairAfterDeath(victim.process.pid);
    dictionary.incr("sum", 0);
  }
  await saidBy(other);
  expect(await other.process.exited).toBe(0);
  expect(dictionaryFaults(arena)).toEqual([]);
});

test("while somebody stands still under the lock, reading goes on, writing is refused in time", () => {
  const arena = newArena();
  const dictionary = new SharedDictionary(arena, complain);
  dictionary.set("a", 5);
  tryAcquire(arena);
  // As if another process had it.
  arena.i32[16] = 1;
  const startMs = performance.now();
  for (let call = 0; call < 50; call++) expect(() => dictionary.incr("a")).toThrow("busy");
  expect(performance.now() - startMs).toBeLessThan(1000);
  expect(dictionary.get("a")).toBe(5);
  release(arena);
  expect(dictionary.incr("a")).toBe(6);
});
