import { afterAll, describe, expect, test } from "bun:test";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders, text } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

describe("names", () => {
  const names: [string, Uint8Array][] = [
    ["the empty name", new Uint8Array(0)],
    ["one NUL", new Uint8Array([0])],
    ["every byte", Uint8Array.from({ length: 256 }, (_, at) => at)],
    ["19 bytes, the longest hashed by the loop", new Uint8Array(19).fill(65)],
    ["20 bytes, the shortest hashed natively", new Uint8Array(20).fill(65)],
    ["just one block", new Uint8Array(244).fill(7)],
    ["just two blocks", new Uint8Array(245).fill(7)],
    ["64 KiB", new Uint8Array(65536).fill(9)],
  ];
  const store = newStore({}, { size: 512 * 1024 });
  test.each(names)("%s is created, found and read back", (_what, name) => {
    expect(store.find(name)).toBe(-1);
    const index = store.open(name, NOW_SEC);
    expect(index).toBeGreaterThanOrEqual(0);
    expect(store.open(name, NOW_SEC)).toBe(index);
    expect(store.find(name)).toBe(index);
    expect(store.name(index)).toEqual(name);
  });
  test("names that differ in the last byte are different channels", () => {
    const one = new Uint8Array(1000).fill(1);
    const two = one.slice();
    two[999] = 2;
    expect(store.open(one, NOW_SEC)).not.toBe(store.open(two, NOW_SEC));
    expect(checkInvariants(store.arena)).toEqual([]);
  });
});

test("a new channel has nothing", () => {
  const store = newStore();
  const { index, incarnation } = new Channel(store, "a");
  expect(incarnation & 1).toBe(1);
  expect(store.isLive(index, incarnation)).toBe(true);
  expect(store.isLive(index, incarnation + 2)).toBe(false);
  const counts = [store.publishedCount(index), store.storedCount(index), store.subscribers.countOf(index)];
  expect([...counts, store.lastTime(index), store.lastTag(index)]).toEqual([0, 0, 0, 0, 0]);
});

test("channels are limited, and live names still open at the limit", () => {
  const store = newStore({ maxChannels: 2 });
  const first = store.open(bytes("a"), NOW_SEC);
  store.open(bytes("b"), NOW_SEC);
  expect(store.open(bytes("c"), NOW_SEC)).toBe(-1);
  expect(store.open(bytes("a"), NOW_SEC)).toBe(first);
  store.deleteChannel(bytes("b"), bytes(""), NOW_MS);
  expect(store.open(bytes("c"), NOW_SEC)).toBeGreaterThanOrEqual(0);
});

test("without a free record there is no room; the oldest one in the trash is taken before that", () => {
  const store = newStore({}, { channels: 4 });
  for (const name of ["a", "b", "c", "d"]) new Channel(store, name);
  expect(store.open(bytes("e"), NOW_SEC)).toBe(-2);
  store.deleteChannel(bytes("b"), bytes(""), NOW_MS);
  expect(store.open(bytes("e"), NOW_SEC)).toBe(-2);
  store.sweep(NOW_MS + 2000);
  expect(store.totals(NOW_MS).channelsInTrash).toBe(1);
  expect(text(store.name(store.open(bytes("e"), NOW_SEC)))).toBe("e");
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("a name that fits nowhere gets no room and costs no message", () => {
  const store = newStore();
  const channel = new Channel(store, "a");
  channel.append("stays");
  expect(store.open(new Uint8Array(200_000), NOW_SEC)).toBe(-2);
  expect(channel.after(0)).toEqual(["1:stays"]);
});

test("eachChannel goes in creation order and leaves out what was deleted, also during the visit", () => {
  const store = newStore();
  for (const name of ["c", "a", "d", "b"]) new Channel(store, name);
  store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
  const seen: string[] = [];
  store.eachChannel((index) => {
    seen.push(text(store.name(index)));
    store.deleteChannel(bytes("d"), bytes(""), NOW_MS);
  });
  expect(seen).toEqual(["c", "b"]);
});

test("positions never go back when a channel is created again", () => {
  const store = newStore();
  const first = new Channel(store, "a");
  for (let at = 0; at < 3; at++) first.append("x");
  const last = store.positions.base(first.index) + 3;
  store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
  const second = new Channel(store, "a");
  expect(second.append("y")).toBe(1);
  expect(store.positions.base(second.index) + 1).toBeGreaterThan(last);
});

describe("subscribers", () => {
  test("are counted a slot, down to zero and not below", () => {
    const store = newStore();
    const { index } = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    expect(store.subscribers.add(slot, index, NOW_SEC)).toBe(true);
    expect(store.subscribers.countOf(index)).toBe(1);
    store.subscribers.remove(slot, index);
    store.subscribers.remove(slot, index);
    expect(store.subscribers.countOf(index)).toBe(0);
  });

  test("with an incarnation they count until the deleted channel is in the trash, never in the next", () => {
    const store = newStore({}, { channels: 4 });
    const old = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(slot, old.index, NOW_SEC, old.incarnation);
    store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
    expect(store.subscribers.add(slot, old.index, NOW_SEC, old.incarnation)).toBe(false);
    expect(store.subscribers.add(slot, old.index, NOW_SEC)).toBe(false);
    expect(store.subscribers.countOf(old.index)).toBe(2);
    for (let left = 2; left > 0; left--) {
      store.sweep(NOW_MS + (5 - left) * 1000);
      expect(store.totals(NOW_MS)).toMatchObject({ channelsInDelete: 1, channelsInTrash: 0 });
      store.subscribers.remove(slot, old.index, old.incarnation);
    }
    store.sweep(NOW_MS + 5000);
    expect(store.totals(NOW_MS)).toMatchObject({ channelsInDelete: 0, channelsInTrash: 1 });
    store.subscribers.add(slot, old.index, NOW_SEC, old.incarnation);
    expect(store.subscribers.countOf(old.index)).toBe(0);
    store.sweep(NOW_MS + 20_000);
    const fresh = new Channel(store, "b");
    expect(fresh.index).toBe(old.index);
    expect(store.subscribers.countOf(fresh.index)).toBe(0);
    store.subscribers.add(slot, fresh.index, NOW_SEC, fresh.incarnation);
    store.subscribers.remove(slot, old.index, old.incarnation);
    expect(store.subscribers.countOf(fresh.index)).toBe(1);
  });
});
