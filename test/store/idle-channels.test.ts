/** A table, or a store, that is full of channels: those that nobody uses make room, and no others. */
import { afterAll, describe, expect, test } from "bun:test";
import { HEAD_IDLE_CHANNEL, HEAD_IDLE_LOOKS } from "../../src/store/memory/layout-header.ts";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { told } from "./events-told.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, POLICY, pathOf, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const open = (store: Store, name: string, nowSec: number): number => store.open(bytes(name), nowSec);

/** Names that live. */
const living = (store: Store): string[] => {
  const names: string[] = [];
  store.eachChannel((index) => names.push(Buffer.from(store.name(index)).toString()));
  return names.sort();
};

/** A store in which `idle 1` … stand in the way of others. */
function fullOfIdle(channels: number, over = {}): Store {
  const store = newStore(over, { channels });
  for (let at = 1; open(store, `idle ${at}`, NOW_SEC) >= 0; ) at++;
  return store;
}

describe("a full table", () => {
  test("of idle channels takes new ones, at most one idle channel each", () => {
    const store = fullOfIdle(8);
    for (let at = 1; at <= 3; at++) expect(open(store, `new ${at}`, NOW_SEC + 1)).toBeGreaterThanOrEqual(0);
    expect(living(store).filter((name) => name.startsWith("new"))).toEqual(["new 1", "new 2", "new 3"]);
    expect(store.totals(NOW_MS)).toMatchObject({ channelRecordsUsed: 8, channelRecords: 8, reclaimed: 3 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("does not take the channels of one request from one another", () => {
    const store = fullOfIdle(4);
    // All four records are this request's by then.
    const found = ["a", "b", "c", "d", "e", "a"].map((name) => open(store, name, NOW_SEC + 1) >= 0);
    expect(found).toEqual([true, true, true, true, false, true]);
    expect(living(store)).toEqual(["a", "b", "c", "d"]);
    expect(open(store, "e", NOW_SEC + 2)).toBeGreaterThanOrEqual(0);
  });

  test("keeps channels with a message, an unstored one, or a subscriber, and the events channel", () => {
    const store = newStore({ eventsChannel: bytes("evts") }, { channels: 5 });
    new Channel(store, "stored").append("x");
    new Channel(store, "unstored").append("x", false);
    store.subscribers.add(0, new Channel(store, "attended").index, NOW_SEC);
    open(store, "idle", NOW_SEC);
    expect([open(store, "new", NOW_SEC + 1) >= 0, open(store, "more", NOW_SEC + 1)]).toEqual([true, -2]);
    expect(living(store)).toEqual(["attended", "evts", "new", "stored", "unstored"]);
    expect(told(store).slice(-2)).toEqual(["destroyed idle", "created new"]);
    expect(store.totals(NOW_MS)).toMatchObject({ reclaimed: 1, roomless: 1 });
  });

  test("is searched in vain once a second, however many ask", () => {
    const store = newStore({}, { channels: 64 });
    for (let at = 0; at < 64; at++) new Channel(store, `busy ${at}`).append("x");
    const { u32 } = store.arena;
    for (let again = 0; again < 3; again++) expect(open(store, `new ${again}`, NOW_SEC + 1)).toBe(-2);
    expect([u32[HEAD_IDLE_LOOKS], u32[HEAD_IDLE_CHANNEL]]).toEqual([64, 0]);
    expect(open(store, "new", NOW_SEC + 2)).toBe(-2);
    expect(u32[HEAD_IDLE_LOOKS]).toBe(64);
  });
});

describe("a channel that was just found by somebody who is about to stand or publish in it", () => {
  test("is not given up for another", () => {
    const store = fullOfIdle(1);
    const elsewhere = attachStore(pathOf(store), POLICY);
    const found = open(store, "idle 1", NOW_SEC + 1);
    expect(open(elsewhere, "new", NOW_SEC + 1)).toBe(-2);
    expect(store.subscribers.add(0, found, NOW_SEC + 1, store.incarnation(found))).toBe(true);
  });

  test("is not collected by the next sweep", () => {
    const store = newStore({ channelInactivitySec: 30 }, { channels: 64 });
    const elsewhere = attachStore(pathOf(store), POLICY);
    open(store, "idle", NOW_SEC);
    const found = open(store, "idle", NOW_SEC + 40);
    for (const sec of [40, 41]) elsewhere.sweep((NOW_SEC + sec) * 1000);
    expect(store.isLive(found, store.incarnation(found))).toBe(true);
  });
});

test("channel names cannot push everybody's messages out; idle ones give room to others", () => {
  const store = newStore({}, { channels: 64, size: 256 * 1024 });
  const kept = new Channel(store, "kept");
  kept.append("message");
  let made = 0;
  while (open(store, `${made} `.padEnd(5000, "n"), NOW_SEC) >= 0) made++;
  expect(made).toBeGreaterThan(2);
  expect(store.totals(NOW_MS)).toMatchObject({ evicted: 0, roomless: 1 });
  for (let at = 0; at < 2 * made; at++)
    expect(open(store, `later ${at} `.padEnd(5000, "n"), NOW_SEC + 1 + at)).toBeGreaterThanOrEqual(0);
  expect([kept.after(0), store.totals(NOW_MS).evicted]).toEqual([["1:message"], 0]);
  expect(checkInvariants(store.arena)).toEqual([]);
});
