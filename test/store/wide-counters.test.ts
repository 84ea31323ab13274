/**
 * Counters of two words where the high one changes: another process looks in the middle of it, or the
 * counting process dies there. No number but the one before and the one after may ever be seen, and none may
 * be skipped.
 */
import { afterAll, describe, expect, test } from "bun:test";
import {
  CROSSING_POINTS,
  channelWord,
  growWide,
  setWide,
  wide,
  wideShared,
} from "../../src/store/memory/arena.ts";
import { CH_LAST_ID } from "../../src/store/memory/layout-channel.ts";
import {
  HEAD_CREATED,
  HEAD_DELETIONS,
  HEAD_EVICTED,
  HEAD_RING_HEAD,
} from "../../src/store/memory/layout-header.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  pathOf,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/** The last number with a high word of 2. */
const EDGE = 3 * 2 ** 32 - 1;

interface Counted {
  readonly word: (channel: Channel) => number;
  /** Moves the counter on by one. */
  readonly count: (channel: Channel) => void;
  /** As the rest of the program reads it; the ring's head counts from 1. */
  readonly read: (store: Store, channel: Channel) => number;
}

const append = (channel: Channel): void => void channel.append("x");
const lastIdWord = ({ store, index }: Channel): number => channelWord(store.arena.layout, index) + CH_LAST_ID;
const totals = (store: Store) => store.totals(NOW_MS);

const COUNTERS: Readonly<Record<string, Counted>> = {
  "a channel's last id": {
    word: lastIdWord,
    count: append,
    read: (store, { index }) => store.publishedCount(index),
  },
  "the ring's head": {
    word: () => HEAD_RING_HEAD,
    count: append,
    read: (store) => totals(store).published + 1,
  },
  deletions: {
    word: () => HEAD_DELETIONS,
    count: ({ store }) => {
      store.open(bytes("short"), NOW_SEC);
      store.deleteChannel(bytes("short"), bytes("bye"), NOW_MS);
    },
    read: ({ arena }) => wideShared(arena.u32, HEAD_DELETIONS),
  },
  "evicted messages": {
    word: () => HEAD_EVICTED,
    count: (channel) => {
      const { evicted } = totals(channel.store);
      while (totals(channel.store).evicted === evicted) channel.append("x");
    },
    read: (store) => totals(store).evicted,
  },
  "channels ever made": {
    word: () => HEAD_CREATED,
    count: ({ store }) => void store.open(bytes(`new ${store.totals(NOW_MS).channels}`), NOW_SEC),
    read: ({ arena }) => wideShared(arena.u32, HEAD_CREATED),
  },
};

const counters = Object.entries(COUNTERS);
const deaths = counters.flatMap(([name, counted]) =>
  CROSSING_POINTS.flatMap((point) =>
    [false, true].map((reopened) => ({ name, point, reopened, ...counted })),
  ),
);

/** A store whose counter stands at the edge. */
function atTheEdge({ word }: Counted): { store: Store; channel: Channel } {
  const store = newStore();
  const channel = new Channel(store, "c");
  channel.append("first");
  setWide(store.arena.u32, word(channel), EDGE);
  return { store, channel };
}

test.each(counters)("%s goes over 2^32: whoever looks in the middle sees no third number", (_, counted) => {
  const { store, channel } = atTheEdge(counted);
  const elsewhere = attachStore(pathOf(store), POLICY);
  const seen: number[] = [counted.read(elsewhere, channel)];
  const points = new Set<string>();
  store.arena.fault = (point) => {
    points.add(point);
    seen.push(counted.read(elsewhere, channel));
  };
  counted.count(channel);
  seen.push(counted.read(elsewhere, channel));
  expect([...points]).toContainValues([...CROSSING_POINTS]);
  expect([...new Set(seen)]).toEqual([EDGE, EDGE + 1]);
});

describe("a death in the middle of it", () => {
  test.each(deaths)("$name, $point, reopened: $reopened: nothing is skipped", (counted) => {
    const path = smallShape().path;
    const made = openStore(smallShape({ path }), POLICY).store;
    const channel = new Channel(made, "c");
    channel.append("first");
    const word = counted.word(channel);
    setWide(made.arena.u32, word, EDGE);
    made.arena.fault = (point) => {
      if (point === counted.point) throw new Error("died");
    };
    expect(() => counted.count(channel)).toThrow("died");
    made.arena.fault = null;
    if (!counted.reopened) expect(made.upkeep.repairAfterDeath(process.pid)).toBe(true);
    const store = counted.reopened ? openStore(smallShape({ path }), POLICY).store : made;
    const after = counted.read(store, channel);
    // Not begun, or done: recovery may finish what was nearly so.
    expect([EDGE, EDGE + 1]).toContain(after);
    counted.count(new Channel(store, "c"));
    expect(counted.read(store, channel)).toBe(after + 1);
    counted.count(new Channel(store, "c"));
    expect([counted.read(store, channel), wide(store.arena.u32, word)]).toEqual([after + 2, after + 2]);
    expect(checkInvariants(store.arena)).toEqual([]);
  });
});

test("another thread sees a counter cross 2^32 a hundred thousand times, and no torn number", async () => {
  const shared = new SharedArrayBuffer(16);
  const u32 = new Uint32Array(shared);
  const reader = new Worker(new URL("./wide-reader.ts", import.meta.url).href);
  const heard = new Promise<{ reads: number; torn: number[] }>((resolve) => {
    reader.onmessage = ({ data }) => resolve(data);
  });
  reader.postMessage(shared);
  while (Atomics.load(u32, 2) === 0) await Bun.sleep(1);
  // Only the numbers on both sides of an edge: in between the low word alone moves.
  for (let high = 1; high <= 100_000; high++) {
    growWide({ u32, fault: null }, 0, high * 2 ** 32 - 1);
    growWide({ u32, fault: null }, 0, high * 2 ** 32);
  }
  Atomics.store(u32, 3, 1);
  const { reads, torn } = await heard;
  reader.terminate();
  expect(reads).toBeGreaterThan(0);
  expect(torn).toEqual([]);
});
