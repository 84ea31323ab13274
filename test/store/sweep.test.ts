import { afterAll, describe, expect, test } from "bun:test";
import { Message } from "../../src/store/message/message-view.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, POLICY, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const at = (sec: number): number => NOW_MS + sec * 1000;

describe("expired messages", () => {
  test("go when expires <= now, stored and unstored, and count as trash", () => {
    const store = newStore({ messageTtlSec: 10, unstoredTtlSec: 5 });
    const channel = new Channel(store, "a");
    channel.append("u", false);
    channel.append("s");
    expect(store.totals(at(0)).messagesInTrash).toBe(1);
    store.sweep(at(4));
    expect(channel.after(0, true)).toEqual(["1:u", "2:s"]);
    store.sweep(at(5));
    expect(channel.after(0, true)).toEqual(["2:s"]);
    store.sweep(at(9));
    expect(store.totals(at(9))).toMatchObject({ stored: 1, messagesInTrash: 1 });
    store.sweep(at(10));
    expect(store.totals(at(10))).toMatchObject({ stored: 0, messagesInTrash: 2, blocksUsed: 1 });
    expect(store.totals(at(11)).messagesInTrash).toBe(1);
    expect(store.totals(at(21)).messagesInTrash).toBe(0);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("go in one sweep also when there are thousands", () => {
    const store = newStore({ messageTtlSec: 10 }, { size: 2 << 20 });
    const channel = new Channel(store, "a");
    for (let count = 0; count < 5000; count++) channel.append("x");
    store.sweep(at(10));
    expect(store.totals(at(10)).stored).toBe(0);
  });

  test("an append clears two of them away, so a busy store needs no sweep", () => {
    const channel = new Channel(newStore({ messageTtlSec: 10 }), "a");
    for (let count = 0; count < 6; count++) channel.append("x");
    channel.append("y", true, at(10));
    expect(channel.store.storedCount(channel.index)).toBe(5);
  });

  test("after the ttl was lowered, newer ones go before the older ones in front of them", () => {
    const store = newStore({ messageTtlSec: 1000 });
    const channel = new Channel(store, "a");
    for (let id = 1; id <= 200; id++) channel.append("long");
    store.setPolicy({ ...POLICY, messageTtlSec: 10 });
    for (let id = 201; id <= 400; id++) channel.append("short");
    store.setPolicy({ ...POLICY, messageTtlSec: 20 });
    channel.append("middle");
    store.sweep(at(10));
    expect(channel.store.storedCount(channel.index)).toBe(201);
    expect(channel.after(200)).toEqual(["401:middle"]);
    store.sweep(at(20));
    expect(channel.store.storedCount(channel.index)).toBe(200);
    store.sweep(at(1000));
    expect(channel.store.storedCount(channel.index)).toBe(0);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("a ttl of 0 never expires", () => {
    const store = newStore({ messageTtlSec: 0 });
    const channel = new Channel(store, "a");
    channel.append("x");
    store.sweep(at(4e8));
    expect(channel.after(0)).toEqual(["1:x"]);
  });
});

describe("inactive channels", () => {
  test("go when nothing is stored, nobody is there and expires < now", () => {
    const store = newStore({ channelInactivitySec: 30 });
    const names = ["idle", "published", "subscribed", "stored"];
    const [idle, published, subscribed, stored] = names.map((name) => new Channel(store, name)) as [
      Channel,
      Channel,
      Channel,
      Channel,
    ];
    const slot = store.workers.claimSlot(100, NOW_SEC);
    store.subscribers.add(slot, subscribed.index, NOW_SEC);
    published.append("u", false, at(10));
    stored.append("s", true, at(0));
    store.sweep(at(30));
    expect(store.totals(at(30)).channels).toBe(4);
    sweepTwice(store, 32);
    expect(store.isLive(idle.index, idle.incarnation)).toBe(false);
    expect(store.find(bytes("idle"))).toBe(-1);
    expect(store.totals(at(33))).toMatchObject({ channels: 3, channelsInTrash: 1, channelsInDelete: 0 });
    sweepTwice(store, 41);
    expect(store.isLive(published.index, published.incarnation)).toBe(false);
    store.subscribers.remove(slot, subscribed.index);
    sweepTwice(store, 45);
    expect(store.isLive(subscribed.index, subscribed.incarnation)).toBe(false);
    expect(store.isLive(stored.index, stored.incarnation)).toBe(true);
    sweepTwice(store, 100);
    sweepTwice(store, 102);
    expect(store.totals(at(103)).channels).toBe(0);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("with unstored messages resting in them go with those messages", () => {
    const store = newStore({ channelInactivitySec: 5, unstoredTtlSec: 100 });
    const channel = new Channel(store, "a");
    for (let count = 0; count < 5; count++) channel.append("u", false);
    sweepTwice(store, 6);
    expect(store.totals(at(7))).toMatchObject({ channels: 0, blocksUsed: 1 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  function sweepTwice(store: ReturnType<typeof newStore>, sec: number): void {
    // Two sweeps look at every record.
    store.sweep(at(sec));
    store.sweep(at(sec + 1));
  }
});

describe("deleted channels", () => {
  test("stay in delete for a second, then rest empty in the trash for ten, then their record is free", () => {
    const store = newStore({}, { channels: 4 });
    const channel = new Channel(store, "a");
    for (let count = 0; count < 300; count++) channel.append("x");
    store.deleteChannel(bytes("a"), bytes("bye"), at(0));
    store.sweep(at(1));
    expect(store.totals(at(1))).toMatchObject({ channelsInDelete: 1, channelsInTrash: 0, stored: 300 });
    store.sweep(at(2));
    expect(store.totals(at(2))).toMatchObject({
      channelsInDelete: 0,
      channelsInTrash: 1,
      stored: 0,
      messagesInTrash: 300,
    });
    store.sweep(at(12));
    expect(store.totals(at(12)).channelsInTrash).toBe(1);
    store.sweep(at(13));
    expect(store.totals(at(13))).toMatchObject({ channelsInTrash: 0, blocksUsed: 0 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("go all at once also when there are thousands, whoever waits in front of them", () => {
    const store = newStore({}, { channels: 4096, size: 4 << 20 });
    const slot = store.workers.claimSlot(100, NOW_SEC);
    const names = Array.from({ length: 3000 }, (_, place) => bytes(`c${place}`));
    for (const [place, name] of names.entries()) {
      const index = store.open(name, NOW_SEC);
      if (place < 500) store.subscribers.add(slot, index, NOW_SEC);
    }
    for (const name of names) store.deleteChannel(name, bytes(""), at(0));
    store.sweep(at(2));
    expect(store.totals(at(2))).toMatchObject({ channelsInDelete: 500, channelsInTrash: 2500 });
    store.workers.releaseSlot(slot);
    store.sweep(at(3));
    expect(store.totals(at(3))).toMatchObject({ channelsInDelete: 0, channelsInTrash: 3000 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("the deletion itself stays readable for the time of an unstored message", () => {
    const store = newStore({ unstoredTtlSec: 5 });
    new Channel(store, "a");
    const cursor = store.head();
    store.deleteChannel(bytes("a"), bytes("bye"), at(0));
    const entry = new RingEntry();
    const message = new Message();
    store.sweep(at(4));
    store.entry(cursor, entry);
    expect(store.history.read(entry.block, entry.stamp, message)).toBe(true);
    store.sweep(at(5));
    expect(store.entry(cursor, entry)).toBe(true);
    expect(store.history.read(entry.block, entry.stamp, message)).toBe(false);
  });
});

test("one sweep a second over all workers, and a clock that went back does not stop them", () => {
  const store = newStore({ messageTtlSec: 10 });
  const channel = new Channel(store, "a");
  store.sweep(at(20));
  channel.append("x");
  store.sweep(at(20) + 999);
  expect(store.storedCount(channel.index)).toBe(1);
  store.sweep(at(15));
  expect(store.storedCount(channel.index)).toBe(0);
});
