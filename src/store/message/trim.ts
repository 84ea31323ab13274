/**
 * Holding a channel to its limits (push-stream spec 2.4): the oldest messages beyond them are stored no
 * longer. Those that somebody connected is still owed rest like unstored ones for a while; the others are
 * dropped, which keeps a busy channel in the same few, warm blocks.
 *
 * A publish that puts a channel over its limit takes the oldest out in the same change (ousting), because
 * that is every publish of a busy channel; whatever cannot go so goes one by one (trimChannel). Used by
 * publish, publication and replica; under the lock.
 */

import { FLAG_INTERNAL, FLAG_STORED } from "../../message.ts";
import {
  JOURNAL_AGE_COUNT,
  JOURNAL_FREE_BLOCK,
  JOURNAL_FREE_BLOCKS,
  JOURNAL_OUSTED,
  JOURNAL_OUSTED_COUNT,
  JOURNAL_STORED_BLOCKS,
  JOURNAL_STORED_COUNT,
} from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, writeFence } from "../memory/arena.ts";
import {
  CH_NEWEST,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_VERSION,
} from "../memory/layout-channel.ts";
import { HEAD_FREE_BLOCK, HEAD_FREE_BLOCKS, HEAD_RING_HEAD, HEAD_STORED } from "../memory/layout-header.ts";
import {
  MORE_NEXT,
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_FLAGS,
  MSG_LAST,
  MSG_NEWER,
  MSG_OLDER,
  MSG_SERIAL,
  MSG_STAMP,
} from "../memory/layout-message.ts";
import { expiry, type StorePolicy } from "../policy.ts";
import { DamageError } from "../recovery/damage.ts";
import { owedAge } from "../slots.ts";
import { blocksOf } from "./message-words.ts";
import { demoteMessage, dropMessage, markGone, storedFrom, unlinkByAge } from "./unlinking.ts";

/**
 * Messages beyond a channel's limits that one append takes out: what a lowered limit leaves goes with the
 * next ones.
 */
const TRIM_PER_APPEND = 256;

const STORED_HERE = FLAG_STORED | FLAG_INTERNAL;

const mostMessages = (policy: StorePolicy): number => policy.maxStoredPerChannel || Number.POSITIVE_INFINITY;
const mostBlocks = ({ maxStoredBytesPerChannel }: StorePolicy, { layout }: Arena): number =>
  maxStoredBytesPerChannel / layout.blockSize || Number.POSITIVE_INFINITY;

/**
 * Plans to drop the oldest messages that are too many once the planned run of stored ones is in: those in one
 * row that nobody is owed. They were there before, so whoever joins from here on stands behind them.
 */
export function planOusting(arena: Arena, policy: StorePolicy, record: number): void {
  const { u32, layout } = arena;
  const most = mostMessages(policy);
  const limit = mostBlocks(policy, arena);
  let count = u32[JOURNAL_STORED_COUNT]!;
  let stored = u32[JOURNAL_STORED_BLOCKS]!;
  if (count <= most && stored <= limit) return;
  const owed = owedAge(arena);
  const first = u32[record + CH_OLDEST_STORED]!;
  let freed = 0;
  let ousted = 0;
  for (let block = first; ousted < TRIM_PER_APPEND && (count > most || stored > limit); ousted++) {
    const at = blockWord(layout, block);
    // The end of those that were there; or an unstored one between them.
    if (block === 0 || (u32[at + MSG_FLAGS]! & STORED_HERE) !== FLAG_STORED) break;
    if ((u32[HEAD_RING_HEAD]! - u32[at + MSG_SERIAL]!) >>> 0 <= owed) break;
    if (u32[at + MSG_STAMP] === 0)
      throw new DamageError(`a channel leads to block ${block}, which has no message`);
    const blocks = blocksOf(layout, u32, at);
    count--;
    stored -= blocks;
    freed += blocks;
    block = u32[at + MSG_NEWER]!;
  }
  if (ousted === 0) return;
  u32[JOURNAL_OUSTED] = first;
  u32[JOURNAL_OUSTED_COUNT] = ousted;
  u32[JOURNAL_STORED_COUNT] = count;
  u32[JOURNAL_STORED_BLOCKS] = stored;
  u32[JOURNAL_AGE_COUNT] = u32[JOURNAL_AGE_COUNT]! - ousted;
  u32[JOURNAL_FREE_BLOCKS] = u32[JOURNAL_FREE_BLOCKS]! + freed;
}

/** Once the run is published. The links of those that go stay, so that this may be done twice. */
export function carryOutOusting(arena: Arena): void {
  const { u32, layout } = arena;
  const first = u32[JOURNAL_OUSTED]!;
  const record = channelWord(layout, u32[blockWord(layout, first) + MSG_CHANNEL]!);
  const odd = (u32[record + CH_VERSION]! | 1) >>> 0;
  // Odd: pairs with the first look of Reader. The next atomic store makes it visible before the links change.
  u32[record + CH_VERSION] = odd;
  const behind = unstampOusted(arena, first, record);
  const { [blockWord(layout, first) + MSG_OLDER]: before } = u32;
  if (before === 0) u32[record + CH_OLDEST] = behind;
  else u32[blockWord(layout, before!) + MSG_NEWER] = behind;
  u32[blockWord(layout, behind) + MSG_OLDER] = before!;
  u32[record + CH_OLDEST_STORED] = storedFrom(arena, behind);
  // Even again, but another number: pairs with the second look of Reader.
  Atomics.store(u32, record + CH_VERSION, (odd + 1) >>> 0);
  freeOusted(arena, first);
}

/** Returns the message behind them. */
function unstampOusted(arena: Arena, first: number, record: number): number {
  const { u32, layout } = arena;
  let block = first;
  for (let left = u32[JOURNAL_OUSTED_COUNT]!; left > 0; left--) {
    const at = blockWord(layout, block);
    markGone(arena, record, at);
    // Pairs with the second look of readMessage: what it copied before this was the message.
    if (left === 1) Atomics.store(u32, at + MSG_STAMP, 0);
    else u32[at + MSG_STAMP] = 0;
    block = u32[at + MSG_NEWER]!;
  }
  writeFence();
  arena.fault?.("evict-unstamped");
  return block;
}

/** Out of the list by age, and onto the free list, in their order. */
function freeOusted(arena: Arena, first: number): void {
  const { u32, layout } = arena;
  let block = first;
  for (let left = u32[JOURNAL_OUSTED_COUNT]!; left > 0; left--) {
    const at = blockWord(layout, block);
    const newer = u32[at + MSG_NEWER]!;
    unlinkByAge(arena, HEAD_STORED, u32[at + MSG_AGE_OLDER]!, u32[at + MSG_AGE_NEWER]!);
    u32[blockWord(layout, u32[at + MSG_LAST]!) + MORE_NEXT] = left === 1 ? u32[JOURNAL_FREE_BLOCK]! : newer;
    block = newer;
  }
  u32[HEAD_FREE_BLOCK] = first;
  u32[HEAD_FREE_BLOCKS] = u32[JOURNAL_FREE_BLOCKS]!;
}

/** What ousting could not take, and what others put in (replica.ts). */
export function trimChannel(arena: Arena, record: number, policy: StorePolicy, nowSec: number): void {
  const { u32, layout } = arena;
  const most = mostMessages(policy);
  const limit = mostBlocks(policy, arena);
  for (let left = TRIM_PER_APPEND; left > 0; left--) {
    const isOver = u32[record + CH_STORED_COUNT]! > most || u32[record + CH_STORED_BLOCKS]! > limit;
    // The newest message always stays, however long.
    if (!isOver || u32[record + CH_STORED_COUNT]! <= 1) return;
    const oldest = u32[record + CH_OLDEST_STORED]!;
    if (oldest === 0 || oldest === u32[record + CH_NEWEST]!)
      throw new DamageError("a channel counts messages that it does not have");
    const age = (u32[HEAD_RING_HEAD]! - u32[blockWord(layout, oldest) + MSG_SERIAL]!) >>> 0;
    if (age <= owedAge(arena)) demoteMessage(arena, oldest, expiry(policy.unstoredTtlSec, nowSec), nowSec);
    else dropMessage(arena, oldest, nowSec);
  }
}
