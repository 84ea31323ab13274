import { afterAll, expect, test } from "bun:test";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { hashName } from "../../src/store/channel/names.ts";
import { channelWord } from "../../src/store/memory/arena.ts";
import { insertEntry, lookUp, removeEntry } from "../../src/store/memory/hash-table.ts";
import { CH_NAME_HASH } from "../../src/store/memory/layout-channel.ts";
import { HEAD_HASH_VERSION } from "../../src/store/memory/layout-header.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

const ref = new ChannelRef();

test("names that share one place are all found, whichever of them goes", () => {
  const store = newStore({}, { channels: 16 });
  const { arena } = store;
  const mask = arena.layout.hashSize - 1;
  // The last place of the table: the run of entries then goes round to its start.
  const names = namesAt(mask, 5);
  for (let gone = 0; gone < names.length; gone++) {
    const channels = names.map((name) => new Channel(store, name));
    removeEntry(arena, channels[gone]!.index);
    for (const [at, name] of names.entries()) {
      const found = lookUp(arena, bytes(name), hashName(arena, bytes(name)), ref);
      expect(found).toBe(at === gone ? -1 : channels[at]!.index);
    }
    insertEntry(arena, channels[gone]!.index);
    for (const name of names) expect(store.deleteChannel(bytes(name), bytes(""), NOW_MS)).toBe(1);
    store.sweep(NOW_MS + gone * 100_000 + 2000);
    store.sweep(NOW_MS + gone * 100_000 + 50_000);
  }

  function namesAt(place: number, count: number): string[] {
    const found: string[] = [];
    for (let at = 0; found.length < count; at++) {
      if ((hashName(arena, bytes(`n${at}`)) & mask) === place) found.push(`n${at}`);
    }
    return found;
  }
});

test("a run of different homes keeps every name reachable through any order of removal", () => {
  const store = newStore({}, { channels: 32 });
  const names = Array.from({ length: 32 }, (_, at) => `channel ${at}`);
  for (const name of names) new Channel(store, name);
  const left = new Set(names);
  for (let at = 0; at < names.length; at++) {
    const name = names[(at * 7) % names.length]!;
    expect(store.deleteChannel(bytes(name), bytes(""), NOW_MS)).toBe(1);
    left.delete(name);
    for (const other of names) expect(store.find(bytes(other)) >= 0).toBe(left.has(other));
  }
});

test("equal hashes do not make equal names", () => {
  const store = newStore();
  const a = new Channel(store, "a");
  const b = new Channel(store, "b");
  const { arena } = store;
  removeEntry(arena, b.index);
  const hash = hashName(arena, bytes("a"));
  arena.u32[channelWord(arena.layout, b.index) + CH_NAME_HASH] = hash;
  insertEntry(arena, b.index);
  expect(lookUp(arena, bytes("a"), hash, ref)).toBe(a.index);
  expect(lookUp(arena, bytes("b"), hash, ref)).toBe(b.index);
  expect(lookUp(arena, bytes("c"), hash, ref)).toBe(-1);
});

test("a look-up during a removal does not answer 'no such channel' from what it sees", () => {
  const store = newStore();
  const { arena } = store;
  const version = arena.u32[HEAD_HASH_VERSION]!;
  // As if a remover stood still half-way: the miss must go on to ask the lock, which is free here, and look
  // again.
  arena.u32[HEAD_HASH_VERSION] = version + 1;
  expect(store.find(bytes("a"))).toBe(-1);
  const index = store.open(bytes("a"), NOW_SEC);
  expect(store.find(bytes("a"))).toBe(index);
  arena.u32[HEAD_HASH_VERSION] = version;
});
