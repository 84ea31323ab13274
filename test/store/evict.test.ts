import { afterAll, describe, expect, test } from "bun:test";
import { Message } from "../../src/store/message/message-view.ts";
import type { Store } from "../../src/store/store.ts";
import { Channel, NOW_MS, NOW_SEC, newestOf, newStore, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/** Fills the store with one-block messages until the next one must evict. */
function fill(channel: Channel, stored: boolean, nowMs = NOW_MS): number {
  let count = 0;
  for (; free(channel.store) > 0; count++) channel.append(`f${count}`, stored, nowMs);
  return count;
}

const free = (store: Store): number => {
  const { blocksTotal, blocksUsed } = store.totals(NOW_MS);
  return blocksTotal - blocksUsed;
};

describe("when no block is free", () => {
  test("the oldest stored message goes, of whichever channel, and is counted", () => {
    const store = newStore();
    const [a, b] = [new Channel(store, "a"), new Channel(store, "b")];
    a.append("first");
    const first = newestOf(a);
    const count = fill(b, true);
    b.append("next");
    expect(a.after(0)).toEqual([]);
    expect(store.history.read(first.block, first.stamp, new Message())).toBe(false);
    expect(b.after(0)).toHaveLength(count + 1);
    b.append("one more");
    expect(b.after(0)[0]).toBe("2:f1");
    expect(store.totals(NOW_MS)).toMatchObject({ evicted: 2, stored: count + 1 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("expired messages go first and are not counted", () => {
    const store = newStore({ messageTtlSec: 10, unstoredTtlSec: 10 });
    const channel = new Channel(store, "a");
    const count = fill(channel, true);
    channel.append("late", true, NOW_MS + 10_000);
    expect(store.totals(NOW_MS).evicted).toBe(0);
    expect(channel.after(0).length).toBeLessThan(count);
  });

  test("unstored messages that every worker has passed go before stored ones, uncounted", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    channel.append("stored");
    channel.append("unstored 1", false);
    channel.append("unstored 2", false);
    fill(channel, true);
    // Passed: the first two messages.
    store.workers.setCursor(slot, 3);
    channel.append("next");
    expect(channel.after(0, true, 3)).toEqual(["1:stored", "3:unstored 2", "4:f0"]);
    expect(store.totals(NOW_MS).evicted).toBe(0);
    // The next unstored one has not been dispatched, so a stored one goes.
    channel.append("next");
    expect(channel.after(0, true, 2)).toEqual(["3:unstored 2", "4:f0"]);
    expect(store.totals(NOW_MS).evicted).toBe(1);
  });

  test("the slowest worker decides, and a worker that is gone does not", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    const [fast, slow] = [store.workers.claimSlot(100, NOW_SEC), store.workers.claimSlot(101, NOW_SEC)];
    channel.append("unstored", false);
    fill(channel, true);
    store.workers.setCursor(fast, store.head());
    channel.append("next");
    expect(channel.after(0, true, 1)).toEqual(["1:unstored"]);
    store.workers.releaseSlot(slow);
    channel.append("next");
    expect(channel.after(0, true, 1)).toEqual(["3:f1"]);
    expect(store.totals(NOW_MS).evicted).toBe(1);
  });

  test("with nothing stored the oldest unstored message goes, passed or not, and is counted", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    store.workers.claimSlot(100, NOW_SEC);
    const count = fill(channel, false);
    channel.append("next", false);
    expect(channel.after(0, true)).toHaveLength(count);
    expect(store.totals(NOW_MS).evicted).toBe(1);
  });

  test("a message as large as all messages together evicts them all, one larger none", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    fill(channel, true);
    const { layout } = store.arena;
    const largest = layout.maxMessageBytes - layout.moreRoomBytes;
    expect(channel.append(new Uint8Array(largest + 1))).toBe(-1);
    expect(store.totals(NOW_MS).evicted).toBe(0);
    expect(channel.append(new Uint8Array(largest))).toBeGreaterThan(0);
    expect(store.totals(NOW_MS)).toMatchObject({ stored: 1, blocksUsed: layout.blocks });
    expect(checkInvariants(store.arena)).toEqual([]);
  });
});
