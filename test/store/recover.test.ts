import { afterAll, describe, expect, test } from "bun:test";
import { blockWord, channelWord, type FaultPoint } from "../../src/store/memory/arena.ts";
import { CH_STATE } from "../../src/store/memory/layout-channel.ts";
import { HEAD_CLEAN } from "../../src/store/memory/layout-header.ts";
import { MSG_CHECK, MSG_DATA_LENGTH, MSG_STAMP } from "../../src/store/memory/layout-message.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import {
  bytes,
  Channel,
  dataOf,
  NOW_MS,
  newStore,
  POLICY,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/**
 * Runs `work` until the fault point is met, as if the process had died there holding the lock, and repairs as
 * main would.
 */
function dieAt(store: Store, point: FaultPoint, work: () => void): void {
  let met = false;
  store.arena.fault = (here) => {
    if (here !== point) return;
    met = true;
    throw new Error("died");
  };
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error && error.message === "died")) throw error;
  } finally {
    store.arena.fault = null;
  }
  expect(met).toBe(true);
  expect(store.upkeep.repairAfterDeath(process.pid)).toBe(true);
  expect(checkInvariants(store.arena)).toEqual([]);
}

/** What a worker that follows the ring sees from a serial on. */
function ringFrom(store: Store, cursor: number): string[] {
  const entry = new RingEntry();
  const message = new Message();
  const seen: string[] = [];
  for (let serial = cursor; serial !== store.head(); serial = (serial + 1) >>> 0) {
    expect(store.entry(serial, entry)).toBe(true);
    const there = store.history.read(entry.block, entry.stamp, message);
    seen.push(there ? `${message.id}:${dataOf(message)}` : "evicted");
  }
  return seen;
}

describe("a death in the middle of an append", () => {
  const before: FaultPoint[] = ["append-room", "append-allocated", "append-written"];
  const after: FaultPoint[] = [
    "append-taken",
    "append-stamped",
    "append-linked",
    "append-counted",
    "append-published",
  ];

  test.each(before)("at %s leaves no trace of the message", (point) => {
    const store = newStore();
    const channel = new Channel(store, "a");
    channel.append("1");
    const cursor = store.head();
    const { blocksUsed } = store.totals(NOW_MS);
    dieAt(store, point, () => channel.append("half".repeat(200)));
    expect(store.totals(NOW_MS)).toMatchObject({ blocksUsed, published: 1, stored: 1 });
    expect(channel.append("2")).toBe(2);
    expect(channel.after(0)).toEqual(["1:1", "2:2"]);
    expect(ringFrom(store, cursor)).toEqual(["2:2"]);
  });

  test.each(after)("at %s leaves a message that everybody sees", (point) => {
    const store = newStore();
    const channel = new Channel(store, "a");
    channel.append("1");
    const cursor = store.head();
    const data = "whole".repeat(200);
    dieAt(store, point, () => channel.append(data));
    expect(store.totals(NOW_MS)).toMatchObject({ published: 2, stored: 2 });
    expect(store.publishedCount(channel.index)).toBe(2);
    expect(channel.append("3")).toBe(3);
    expect(channel.after(0)).toEqual(["1:1", `2:${data}`, "3:3"]);
    expect(ringFrom(store, cursor)).toEqual([`2:${data}`, "3:3"]);
  });

  test("while it evicts loses the evicted message only", () => {
    const store = newStore({ messageTtlSec: 1 });
    const channel = new Channel(store, "a");
    for (const data of ["1", "2", "3"]) channel.append(data);
    // The first three have expired when the fourth comes; it drops one, and dies there.
    dieAt(store, "evict-unstamped", () => channel.append("4", true, NOW_MS + 5000));
    expect(channel.after(0)).toEqual(["2:2", "3:3", "4:4"]);
    expect(store.storedCount(channel.index)).toBe(3);
  });
});

describe("a death in the middle of opening a channel", () => {
  test.each([
    ["open-named", false],
    ["open-stated", true],
    ["open-live", true],
    ["open-listed", true],
  ] as const)("at %s: the channel exists = %p", (point, exists) => {
    const store = newStore();
    new Channel(store, "a").append("kept");
    dieAt(store, point, () => store.open(bytes("b".repeat(500)), 1));
    expect(store.find(bytes("b".repeat(500))) >= 0).toBe(exists);
    expect(store.totals(NOW_MS).channels).toBe(exists ? 2 : 1);
    expect(new Channel(store, "b".repeat(500)).append("x")).toBe(1);
    expect(new Channel(store, "a").after(0)).toEqual(["1:kept"]);
  });
});

describe("a death in the middle of a deletion", () => {
  test.each(["delete-stamped", "retire-stated", "delete-retired"] as const)(
    "at %s: it is finished, and counted once",
    (point) => {
      const store = newStore();
      const channel = new Channel(store, "a");
      channel.append("1");
      const cursor = store.head();
      dieAt(store, point, () => store.deleteChannel(bytes("a"), bytes("bye"), NOW_MS));
      expect(store.find(bytes("a"))).toBe(-1);
      expect(store.isLive(channel.index, channel.incarnation)).toBe(false);
      expect(ringFrom(store, cursor)).toEqual(["-2:bye"]);
      expect(store.totals(NOW_MS)).toMatchObject({ published: 1, channels: 0, channelsInDelete: 1 });
      expect(new Channel(store, "a").append("again")).toBe(1);
    },
  );

  test.each(["retire-stated", "collect-retired"] as const)(
    "at %s: a channel that the sweep collects is gone",
    (point) => {
      const store = newStore({ channelInactivitySec: 5 });
      const channel = new Channel(store, "a");
      dieAt(store, point, () => {
        store.sweep(NOW_MS + 10_000);
        store.sweep(NOW_MS + 11_000);
      });
      expect(store.isLive(channel.index, channel.incarnation)).toBe(false);
      expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, channelsInTrash: 1 });
    },
  );
});

test("repair keeps channel order, unstored messages, ids, positions and lists by age", () => {
  const store = newStore();
  const channels = ["c", "a", "b"].map((name) => new Channel(store, name));
  for (let round = 0; round < 4; round++) {
    for (const channel of channels) channel.append(`${round}`, round !== 2);
  }
  const bases = channels.map((channel) => store.positions.base(channel.index));
  const totals = store.totals(NOW_MS);
  dieAt(store, "append-room", () => channels[0]!.append("x"));
  expect(store.totals(NOW_MS)).toEqual(totals);
  expect(channels.map((channel) => store.positions.base(channel.index))).toEqual(bases);
  for (const channel of channels) expect(channel.after(0, true)).toEqual(["1:0", "2:1", "3:2", "4:3"]);
  const order: number[] = [];
  store.eachChannel((index) => order.push(index));
  expect(order).toEqual(channels.map((channel) => channel.index));
});

describe("damage on disk", () => {
  /** Spoils the file of a store with three messages, reopens it as after a crash, and tells what is left. */
  function damaged(spoil: (store: Store, block: number) => void): { dropped: number; left: unknown } {
    const shape = smallShape();
    const { store } = openStore(shape, POLICY);
    const channel = new Channel(store, "a");
    for (const data of ["1", "2".repeat(1000), "3"]) channel.append(data);
    const second = new Message();
    store.history.reader(channel.index, channel.incarnation, 1).next(second);
    spoil(store, second.block);
    const again = openStore(shape, POLICY);
    expect(again.report.kind).toBe("recovered");
    expect(checkInvariants(again.store.arena)).toEqual([]);
    const index = again.store.find(bytes("a"));
    const left = index < 0 ? "no channel" : new Channel(again.store, "a").after(0);
    return { dropped: again.report.dropped, left };
  }

  test.each([
    ["check word", MSG_CHECK],
    ["length", MSG_DATA_LENGTH],
    ["stamp", MSG_STAMP],
  ])("a message with a wrong %s is dropped and counted", (_what, word) => {
    const spoil = (store: Store, block: number): void => {
      store.arena.u32[blockWord(store.arena.layout, block) + word]! += 1;
    };
    expect(damaged(spoil)).toEqual({ dropped: 1, left: ["1:1", "3:3"] });
  });

  test("a broken chain drops its message", () => {
    const { dropped, left } = damaged((store, block) => {
      const { u32, layout } = store.arena;
      const second = u32[blockWord(layout, block) + 1]!;
      u32[blockWord(layout, second) + 1] = block;
    });
    expect({ dropped, left }).toEqual({ dropped: 1, left: ["1:1", "3:3"] });
  });

  test("a channel whose name is broken goes, with its messages", () => {
    const { left } = damaged((store) => {
      const { u8, layout } = store.arena;
      for (let block = 1; block <= layout.blocks; block++) {
        const at = (blockWord(layout, block) + 3) * 4;
        if (u8[at] === 97 && u8[at + 1] === 0) u8[at] = 98;
      }
    });
    expect(left).toBe("no channel");
  });

  test("noise everywhere behind the header ends in an empty store, not in a crash", () => {
    const { left } = damaged((store) => {
      const { u32, layout } = store.arena;
      for (let word = layout.hashWord; word < u32.length; word++) u32[word] = Math.imul(word, 0x9e3779b1);
      store.arena.u32[channelWord(layout, 0) + CH_STATE] = 1;
    });
    expect(left).toBe("no channel");
  });
});

test("a clean stop needs no recovery and loses nothing", () => {
  const shape = smallShape();
  const { store } = openStore(shape, POLICY);
  const channel = new Channel(store, "a");
  channel.append("1");
  store.upkeep.markClean();
  store.close();
  const again = openStore(shape, POLICY);
  expect(again.report).toEqual({
    kind: "reopened",
    reason: "it was closed in order",
    messages: 1,
    dropped: 0,
    isSameLife: true,
    setAside: null,
    removed: [],
  });
  expect(again.store.arena.u32[HEAD_CLEAN]).toBe(0);
  expect(again.store.epoch).toBe(store.epoch);
  expect(new Channel(again.store, "a").after(0)).toEqual(["1:1"]);
});
