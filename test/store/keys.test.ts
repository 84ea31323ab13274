/**
 * Idempotency keys in the store: who is told of the first message, when a key is as good as new, and what
 * outlives what.
 */
import { afterAll, expect, test } from "bun:test";
import { KEY_POSITION, KEY_WORDS } from "../../src/store/memory/layout.ts";
import { HEAD_CLEAN } from "../../src/store/memory/layout-header.ts";
import { GONE } from "../../src/store/message/append-all.ts";
import { KEY_REUSED } from "../../src/store/message/keys.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import {
  bytes,
  Channel,
  entryFor,
  NOW_MS,
  newStore,
  POLICY,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const shape = { keys: 64 };
type Options = Parameters<typeof entryFor>[2];

/** What became of one message: its outcome, position, and whether it was known. */
function put(channel: Channel, data: string, options: Options = {}, nowMs = NOW_MS) {
  const entry = entryFor(channel, data, options);
  expect(channel.store.appendAll([entry], 0, nowMs)).toBe(1);
  return [entry.outcome, entry.position, entry.isDuplicate];
}

test("the same key gets the first position again, another body KEY_REUSED, other keys nothing", () => {
  const channel = new Channel(newStore({}, shape), "a");
  expect(put(channel, "1", { key: "k" })).toEqual([1, 1, false]);
  expect(put(channel, "1", { key: "k" })).toEqual([1, 1, true]);
  expect(put(channel, "2", { key: "k" })[0]).toBe(KEY_REUSED);
  expect(put(channel, "2", { key: "l" })).toEqual([2, 2, false]);
  expect(put(channel, "2")).toEqual([3, 3, false]);
  expect(channel.after(0)).toEqual(["1:1", "2:2", "3:2"]);
});

test("a key is remembered through the window, by seconds, also when the clock was set back", () => {
  const channel = new Channel(newStore({ keyWindowSec: 10 }, shape), "a");
  put(channel, "1", { key: "k" });
  expect(put(channel, "1", { key: "k" }, NOW_MS + 10_000)[2]).toBe(true);
  expect(put(channel, "1", { key: "k" }, NOW_MS - 10_000)[2]).toBe(true);
  expect(put(channel, "1", { key: "k" }, NOW_MS + 11_000)).toEqual([2, 2, false]);
});

test("where no place is free the oldest key is given up, and counted", () => {
  const store = newStore({}, { keys: 16 });
  const channel = new Channel(store, "a");
  for (let key = 0; key < 16; key++) put(channel, "x", { key: `k${key}` }, NOW_MS + 1000 * key);
  expect(store.keysGivenUp).toBe(0);
  put(channel, "x", { key: "one more" }, NOW_MS + 16_000);
  expect(store.keysGivenUp).toBe(1);
  for (let key = 1; key < 16; key++)
    expect(put(channel, "x", { key: `k${key}` }, NOW_MS + 17_000)[2]).toBe(true);
  expect(put(channel, "x", { key: "k0" }, NOW_MS + 17_000)[2]).toBe(false);
});

test("a channel that was deleted and made anew knows its keys, and never gives a position twice", () => {
  const store = newStore({}, shape);
  const old = new Channel(store, "a");
  put(old, "1", { key: "k" });
  store.deleteChannel(bytes("a"), bytes("bye"), NOW_MS);
  expect(store.appendAll([entryFor(old, "2")], 0, NOW_MS)).toBe(0);
  const channel = new Channel(store, "a");
  expect(put(channel, "1", { key: "k" })).toEqual([1, 1, true]);
  expect(Number(put(channel, "2")[1])).toBeGreaterThan(1);
});

test("one that fails costs itself alone; one whose channel is gone ends the call", () => {
  const store = newStore({}, shape);
  const [a, b] = [new Channel(store, "a"), new Channel(store, "b")];
  store.deleteChannel(bytes("b"), bytes("bye"), NOW_MS);
  const entries = [
    entryFor(a, "1"),
    entryFor(a, "x".repeat(store.maxMessageBytes + 1)),
    entryFor(a, "2"),
    entryFor(b, "3"),
    entryFor(a, "4"),
  ];
  expect(store.appendAll(entries, 0, NOW_MS)).toBe(3);
  expect(entries.map(({ outcome }) => outcome)).toEqual([1, -1, 2, GONE, -9]);
});

test("the lock is given back after 64 messages, or a quarter of a megabyte", () => {
  const store = newStore({}, { ...shape, size: 1 << 20 });
  const channel = new Channel(store, "a");
  expect(
    store.appendAll(
      Array.from({ length: 100 }, () => entryFor(channel, "x")),
      0,
      NOW_MS,
    ),
  ).toBe(64);
  const large = Array.from({ length: 10 }, () => entryFor(channel, "x".repeat(100_000)));
  expect(store.appendAll(large, 0, NOW_MS)).toBe(3);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test.each([
  ["closed in order", (store: Store) => store.upkeep.markClean(), true],
  ["not closed, in the same boot", () => undefined, true],
  ["closed, and damaged since", damage, false],
] as const)("a store that was %s remembers its keys: %p", (_, end, isRemembered) => {
  const options = smallShape(shape);
  const first = openStore(options, POLICY).store;
  put(new Channel(first, "a"), "1", { key: "k" });
  end(first);
  first.close();
  const { store } = openStore(options, POLICY);
  expect(put(new Channel(store, "a"), "1", { key: "k" })[2]).toBe(isRemembered);
});

test("an entry that was damaged is none", () => {
  const store = newStore({}, shape);
  const channel = new Channel(store, "a");
  put(channel, "1", { key: "k" });
  const { arena } = store;
  for (let place = 0; place < 64; place++)
    arena.u32[arena.layout.keysWord + place * KEY_WORDS + KEY_POSITION] = 77;
  expect(put(channel, "1", { key: "k" })).toEqual([2, 2, false]);
});

/** A bit of a link, after the file said that it was closed. */
function damage(store: Store): void {
  store.upkeep.markClean();
  const { arena } = store;
  expect(arena.u32[HEAD_CLEAN]).not.toBe(0);
  arena.u32[arena.layout.blocksWord + 1000] = 1;
}
