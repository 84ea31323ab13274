import { afterAll, expect, test } from "bun:test";
import { Counter } from "../../src/store/counters.ts";
import { channelWord } from "../../src/store/memory/arena.ts";
import { SLOT_COUNTER_LIMIT } from "../../src/store/memory/layout.ts";
import { CH_SUBSCRIBERS } from "../../src/store/memory/layout-channel.ts";
import { Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

test("slots are claimed once each, found by pid, and used again after release", () => {
  const store = newStore({}, { workerSlots: 2 });
  expect(store.workers.claimSlot(100, NOW_SEC)).toBe(0);
  expect(store.workers.claimSlot(101, NOW_SEC + 1)).toBe(1);
  expect(store.workers.claimSlot(102, NOW_SEC)).toBe(-1);
  expect([store.workers.slotOf(101), store.workers.slotOf(102)]).toEqual([1, -1]);
  expect([store.workers.slotPid(1), store.workers.slotStartedSec(1)]).toEqual([101, NOW_SEC + 1]);
  store.workers.releaseSlot(0);
  store.workers.releaseSlot(0);
  expect(store.workers.slotPid(0)).toBe(0);
  expect(store.workers.claimSlot(102, NOW_SEC)).toBe(0);
});

test("a slot that does not exist is a programmer's error", () => {
  const store = newStore({}, { workerSlots: 2 });
  expect(() => store.workers.releaseSlot(2)).toThrow("worker slot 2");
  expect(() => store.counters.add(-1, Counter.PUBLISHED, 1)).toThrow("worker slot -1");
});

test("release gives back subscribers and counters", () => {
  const store = newStore();
  const channel = new Channel(store, "a");
  const [one, two] = [store.workers.claimSlot(100, NOW_SEC), store.workers.claimSlot(101, NOW_SEC)];
  store.subscribers.add(one, channel.index, NOW_SEC);
  store.subscribers.add(two, channel.index, NOW_SEC);
  store.subscribers.add(two, channel.index, NOW_SEC);
  store.counters.add(one, Counter.SUBSCRIBERS, 1);
  store.counters.add(two, Counter.SUBSCRIBERS, 2);
  expect(store.subscribers.countOf(channel.index)).toBe(3);
  expect(store.totals(NOW_MS).subscribers).toBe(3);
  store.workers.releaseSlot(two);
  expect(store.subscribers.countOf(channel.index)).toBe(1);
  expect(store.totals(NOW_MS).subscribers).toBe(1);
  expect(store.counters.get(two, Counter.SUBSCRIBERS)).toBe(0);
});

test("a slot is given back in turns where there are many channels, and is not free before the last", () => {
  const store = newStore({}, { size: 16 << 20, channels: 70_000, workerSlots: 2 });
  const slot = store.workers.claimSlot(100, NOW_SEC);
  const { u32, layout } = store.arena;
  const subscribers = channelWord(layout, layout.channels - 1) + CH_SUBSCRIBERS + slot;
  u32[subscribers] = 3;
  for (let turn = 1; turn < 5; turn++) expect(store.workers.releaseSlot(slot)).toBe(false);
  expect([u32[subscribers], store.workers.slotPid(slot)]).toEqual([3, 100]);
  expect(store.workers.releaseSlot(slot)).toBe(true);
  expect([u32[subscribers], store.workers.slotPid(slot)]).toEqual([0, 0]);
});

test("counters count beyond 32 bits, down as well, and stay apart", () => {
  const store = newStore();
  const slot = store.workers.claimSlot(100, NOW_SEC);
  store.counters.add(slot, Counter.BYTES_SENT, 2 ** 40);
  store.counters.add(slot, Counter.BYTES_SENT, 5);
  store.counters.add(slot, Counter.DELIVERED, -3);
  store.counters.set(slot, Counter.HEARTBEAT_MS, NOW_MS);
  expect(store.counters.get(slot, Counter.BYTES_SENT)).toBe(2 ** 40 + 5);
  expect(store.counters.get(slot, Counter.DELIVERED)).toBe(-3);
  expect(store.counters.get(slot, Counter.HEARTBEAT_MS)).toBe(NOW_MS);
  const indices = Object.values(Counter);
  expect(new Set(indices).size).toBe(indices.length);
  expect(Math.max(...indices)).toBeLessThan(SLOT_COUNTER_LIMIT);
});

test("a sleeper with news stays awake; one without is rung once, by others only", () => {
  const store = newStore();
  const [one, two, three] = [100, 101, 102].map((pid) => store.workers.claimSlot(pid, NOW_SEC)) as [
    number,
    number,
    number,
  ];
  const rung: number[] = [];
  const ring = (slot: number): number => rung.push(slot);
  store.workers.ringOthers(one, ring);
  expect(rung).toEqual([]);
  expect(store.workers.beginSleep(one, store.head())).toBe(true);
  expect(store.workers.beginSleep(two, store.head())).toBe(true);
  expect(store.workers.beginSleep(three, (store.head() - 1) >>> 0)).toBe(false);
  store.workers.ringOthers(one, ring);
  store.workers.ringOthers(three, ring);
  expect(rung).toEqual([two, one]);
  store.workers.ringOthers(three, ring);
  expect(rung).toEqual([two, one]);
});
