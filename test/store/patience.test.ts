/**
 * What callers are told while another process keeps the lock: never an exception, never a long wait, nothing
 * half done.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { LONGEST_WAIT_MS, MAX_WAITING, MAX_WAITING_BYTES, Patience } from "../../src/store/lock/patience.ts";
import { HEAD_HASH_VERSION, HEAD_LOCK, HEAD_LOCK_TENURE } from "../../src/store/memory/layout-header.ts";
import { BUSY } from "../../src/store/outcome.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/** Above any pid the kernel gives out. */
const ANOTHER_PID = 0x7ffffff0;

let store: Store;
let channel: Channel;

/** As if another process had taken the lock and stood still. */
function stall(): void {
  store.arena.u32[HEAD_LOCK_TENURE] = store.arena.u32[HEAD_LOCK_TENURE]! + 1;
  store.arena.i32[HEAD_LOCK] = ANOTHER_PID;
}

function goOn(): void {
  store.arena.i32[HEAD_LOCK] = 0;
}

beforeEach(() => {
  store = newStore();
  channel = new Channel(store, "here");
  channel.append("before");
  stall();
});

describe("while the lock is taken", () => {
  test.each<[string, () => unknown, unknown]>([
    ["an append", () => channel.append("x"), BUSY],
    ["a new channel", () => store.open(bytes("new"), NOW_SEC), BUSY],
    ["a deletion", () => store.deleteChannel(bytes("here"), bytes(""), NOW_MS), BUSY],
    ["a list of all channels", () => store.eachChannel(() => undefined), false],
    ["a channel that is there", () => store.open(bytes("here"), NOW_SEC), 0],
    ["a name that is not there", () => store.find(bytes("new")), -1],
    ["the totals", () => store.totals(NOW_MS).published, 1],
    ["a sweep", () => store.sweep(NOW_MS + 200_000), undefined],
  ])("%s", (_name, call, expected) => {
    expect(call()).toEqual(expected);
    expect(store.arena.i32[HEAD_LOCK]).toBe(ANOTHER_PID);
    goOn();
    expect(checkInvariants(store.arena)).toEqual([]);
    expect(channel.after(0)).toEqual(["1:before"]);
  });

  test("in the middle of a removal: a name that is not met may be there all the same", () => {
    store.arena.u32[HEAD_HASH_VERSION] = 1;
    expect(store.find(bytes("new"))).toBe(BUSY);
    expect(store.open(bytes("new"), NOW_SEC)).toBe(BUSY);
    expect(store.find(bytes("here"))).toBe(channel.index);
  });

  test("a sweep that could not take it is done in the same second, once it can", () => {
    store.sweep(NOW_MS + 200_000);
    goOn();
    store.sweep(NOW_MS + 200_000);
    expect(channel.after(0)).toEqual("gone");
  });

  test("a hundred publishes do not wait a hundred times for the same owner", () => {
    const startMs = performance.now();
    for (let i = 0; i < 100; i++) expect(channel.append("x")).toBe(BUSY);
    // Each would wait for 20 ms.
    expect(performance.now() - startMs).toBeLessThan(1000);
  });
});

describe("waiting beside the event loop", () => {
  const state = async (promise: Promise<boolean>) => await Promise.race([promise, Promise.resolve("waits")]);

  test("ends when the lock comes free", async () => {
    const free = new Patience(store.arena).free({});
    await Bun.sleep(20);
    expect(await state(free)).toBe("waits");
    goOn();
    expect(await free).toBe(true);
  });

  test("ends after two seconds, counted from the first wait of the asker", async () => {
    const patience = new Patience(store.arena);
    const asker = {};
    const startMs = performance.now();
    expect(await patience.free(asker)).toBe(false);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(LONGEST_WAIT_MS);
    expect(await state(patience.free(asker))).toBe(false);
  });

  test("is for no more askers and no more bytes than fit", async () => {
    const patience = new Patience(store.arena);
    const half = patience.free({}, MAX_WAITING_BYTES / 2);
    expect(await patience.free({}, MAX_WAITING_BYTES / 2 + 1)).toBe(false);
    const others = Array.from({ length: MAX_WAITING - 1 }, () => patience.free({}));
    expect(await patience.free({})).toBe(false);
    goOn();
    expect(await Promise.all([half, ...others])).not.toContain(false);
    stall();
    const next = patience.free({}, MAX_WAITING_BYTES);
    goOn();
    expect(await next).toBe(true);
  });
});
