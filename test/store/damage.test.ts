/**
 * Words that change under a store in use: seen were calls that never came back, and workers that died of
 * them.
 */
import { afterAll, expect, test } from "bun:test";
import {
  ADD_MESSAGE,
  DROP_MESSAGE,
  JOURNAL_AGE_COUNT,
  JOURNAL_BLOCK,
  JOURNAL_FREE_BLOCK,
  JOURNAL_KIND,
  JOURNAL_TO,
  MOVE_CHANNEL,
} from "../../src/store/lock/journal.ts";
import { acquire, release } from "../../src/store/lock/lock.ts";
import { blockWord, channelWord, setWide, wide } from "../../src/store/memory/arena.ts";
import { CH_OLDEST_STORED, CH_STORED_COUNT } from "../../src/store/memory/layout-channel.ts";
import {
  AGE_OLDEST,
  HEAD_FREE_BLOCK,
  HEAD_LOCK,
  HEAD_RING_HEAD,
  HEAD_STORED,
} from "../../src/store/memory/layout-header.ts";
import { MORE_NEXT, MSG_CHANNEL } from "../../src/store/memory/layout-message.ts";
import { mendWhole } from "../../src/store/recovery/damage.ts";
import type { Store } from "../../src/store/store.ts";
import { Channel, NOW_MS, newStore, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const oldest = ({ arena: { u32 } }: Store): number => u32[HEAD_STORED + AGE_OLDEST]!;

test.each<readonly [string, (store: Store, channel: Channel) => unknown]>([
  [
    "the free list leads out of the file",
    ({ arena: { u32 } }) => u32.fill(0x8000_0001, HEAD_FREE_BLOCK, HEAD_FREE_BLOCK + 1),
  ],
  [
    "the free list ends in a ring",
    ({ arena: { u32, layout } }) => {
      const first = u32[HEAD_FREE_BLOCK]!;
      const second = u32[blockWord(layout, first) + MORE_NEXT]!;
      u32[blockWord(layout, second) + MORE_NEXT] = 0x8000_0001;
    },
  ],
  [
    "the age list begins with a free block",
    ({ arena: { u32, layout } }) =>
      u32.fill(layout.blocks, HEAD_STORED + AGE_OLDEST, HEAD_STORED + AGE_OLDEST + 1),
  ],
  [
    "a message is of a channel that cannot be",
    (store) => {
      const { u32, layout } = store.arena;
      u32[blockWord(layout, oldest(store)) + MSG_CHANNEL] = 0x4000_0000;
    },
  ],
  [
    "a channel counts more than it has",
    ({ arena: { u32, layout } }, { index }) => {
      u32[channelWord(layout, index) + CH_STORED_COUNT] = 0x8000_0000;
      u32[channelWord(layout, index) + CH_OLDEST_STORED] = 0;
    },
  ],
])("%s: a publish comes back with its id, is stored once, and the lists are right again", (_, spoil) => {
  const store = newStore({ maxStoredPerChannel: 4, messageTtlSec: 10 });
  const channel = new Channel(store, "a");
  for (const data of ["1", "2", "3"]) channel.append(data);
  spoil(store, channel);
  expect(channel.append("x".repeat(600), true, NOW_MS + 60_000)).toBe(4);
  store.sweep(NOW_MS + 61_000);
  expect(store.upkeep.timesMended).toBe(1);
  expect(channel.append("5", true, NOW_MS + 61_000)).toBe(5);
  expect(channel.after(3)).toEqual([`4:${"x".repeat(600)}`, "5:5"]);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test.each<readonly [string, number, number, number]>([
  ["of no kind that there is", 77, JOURNAL_BLOCK, 1],
  ["that lead out of the file", DROP_MESSAGE, JOURNAL_FREE_BLOCK, 0x8000_0001],
  ["that count more than there is", DROP_MESSAGE, JOURNAL_AGE_COUNT, 0xffff_ffff],
  ["about no message", DROP_MESSAGE, JOURNAL_BLOCK, 0],
  ["about a list that is none", MOVE_CHANNEL, JOURNAL_TO, 5],
  ["about a message that was published long ago", ADD_MESSAGE, JOURNAL_BLOCK, 1],
])(
  "a death that leaves a journal with words %s: the lists are made anew, and main is told before",
  (...damage) => {
    const [, kind, word, value] = damage;
    const store = newStore();
    const { u32 } = store.arena;
    const channel = new Channel(store, "a");
    for (const data of ["1", "2", "3"]) channel.append(data);
    [u32[JOURNAL_KIND], u32[word], u32[HEAD_LOCK]] = [kind, value, 4242];
    expect(store.upkeep.finishAfterDeath(4242)).toBe("damaged");
    expect([store.upkeep.lockOwner(), store.upkeep.finishAfterDeath(1)]).toEqual([4242, "not held"]);
    expect([store.upkeep.repairAfterDeath(4242), store.upkeep.timesMended, store.upkeep.lockOwner()]).toEqual(
      [true, 1, 0],
    );
    expect(checkInvariants(store.arena)).toEqual([]);
    expect(channel.append("4")).toBe(4);
    expect(channel.after(0)).toEqual(["1:1", "2:2", "3:3", "4:4"]);
  },
);

test("a counter that went back gave two messages one place: a rebuild of the lists loses none", () => {
  const store = newStore();
  const [first, second] = [new Channel(store, "a"), new Channel(store, "b")];
  for (const data of ["1", "2", "3"]) first.append(data);
  const { u32 } = store.arena;
  setWide(u32, HEAD_RING_HEAD, wide(u32, HEAD_RING_HEAD) - 2);
  for (const data of ["4", "5"]) second.append(data);
  acquire(store.arena);
  mendWhole(store.arena);
  release(store.arena);
  expect(first.after(0)).toEqual(["1:1", "2:2", "3:3"]);
  expect(second.after(0)).toEqual(["1:4", "2:5"]);
  expect(second.append("6")).toBe(3);
});
