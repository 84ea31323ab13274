/**
 * Subscribers who come and go while another process keeps the lock: counted and told of later, in order, none
 * lost.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { Ledger, MOST_OWED } from "../../src/store/ledger.ts";
import { HEAD_LOCK, HEAD_LOCK_TENURE } from "../../src/store/memory/layout-header.ts";
import type { Store } from "../../src/store/store.ts";
import { until } from "../until.ts";
import { told } from "./events-told.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

/** Above any pid the kernel gives out. */
const ANOTHER_PID = 0x7ffffff0;

function stall({ arena }: Store): void {
  arena.u32[HEAD_LOCK_TENURE] = arena.u32[HEAD_LOCK_TENURE]! + 1;
  arena.i32[HEAD_LOCK] = ANOTHER_PID;
}

function goOn({ arena }: Store): void {
  arena.i32[HEAD_LOCK] = 0;
}

describe.each(["", "evts"])("while the lock is taken, events channel %p", (eventsChannel) => {
  const eventsIn = (store: Store): string[] => (eventsChannel === "" ? [] : told(store));

  test("one who comes and goes is counted in and out and told of, once the lock is free", async () => {
    const store = newStore({ eventsChannel: bytes(eventsChannel) });
    const { index, incarnation } = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    const join = (): void => {
      expect(store.subscribers.add(slot, index, NOW_SEC, incarnation)).toBe(true);
      store.subscribers.tellOf(index, incarnation, NOW_MS);
    };
    const leave = (): void => store.subscribers.remove(slot, index, incarnation, NOW_MS);
    join();
    stall(store);
    join();
    join();
    leave();
    expect(store.subscribers.countOf(index)).toBe(1);
    goOn(store);
    // At once, and yet not before those who wait.
    leave();
    await until("one stands there", () => store.subscribers.countOf(index) === 1);
    leave();
    expect(store.subscribers.countOf(index)).toBe(0);
    const [came, went] = ["subscribed a", "unsubscribed a"];
    const expected = ["created a", came, came, came, went, went, went];
    expect(eventsIn(store)).toEqual(eventsChannel === "" ? [] : expected);
  });

  test("whose channel is deleted before they are counted are told of its end", async () => {
    const store = newStore({ eventsChannel: bytes(eventsChannel) });
    const { index, incarnation } = new Channel(store, "a");
    const slot = store.workers.claimSlot(100, NOW_SEC);
    const lost: number[] = [];
    store.subscribers.onLost((...channel) => lost.push(...channel));
    stall(store);
    expect(store.subscribers.add(slot, index, NOW_SEC, incarnation)).toBe(true);
    goOn(store);
    store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
    await until("the loss is told", () => lost.length > 0);
    expect(lost).toEqual([index, incarnation]);
    expect(store.subscribers.add(slot, index, NOW_SEC, incarnation)).toBe(false);
  });
});

test("when very many wait, nobody else is let in; those who go are still taken down", () => {
  const ledger = new Ledger(() => undefined);
  let isFree = false;
  let done = 0;
  const entry = (): boolean => {
    if (isFree) done++;
    return isFree;
  };
  for (let i = 0; i < MOST_OWED; i++) ledger.do(entry);
  expect(ledger.isFull).toBe(true);
  ledger.do(entry);
  isFree = true;
  while (!ledger.isEmpty) ledger.settle();
  expect(done).toBe(MOST_OWED + 1);
  expect(ledger.isFull).toBe(false);
});
