/**
 * One message in the store: its header's check word, and hanging it into and taking it out of the lists (its
 * channel's, and the list of all stored or all unstored ones by age). Used by publish, evict, sweep and
 * recover; all under the lock.
 */

import { BEHIND_SHIFT, FLAG_DELETION, FLAG_INTERNAL, FLAG_PRESENCE, FLAG_STORED } from "../../message.ts";
import { countTrash } from "../channel/trash.ts";
import {
  arm,
  DEMOTE_MESSAGE,
  DROP_MESSAGE,
  disarm,
  JOURNAL_AGE_COUNT,
  JOURNAL_AGE_NEWER,
  JOURNAL_AGE_OLDER,
  JOURNAL_BLOCK,
  JOURNAL_EXPIRES,
  JOURNAL_STORED_BLOCKS,
  JOURNAL_STORED_COUNT,
  JOURNAL_TRANSIENT_COUNT,
  JOURNAL_TRANSIENT_NEWEST,
} from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, setWide, wide, writeFence } from "../memory/arena.ts";
import { blocksForMessage, givePlanned, planGiving } from "../memory/blocks.ts";
import type { Layout } from "../memory/layout.ts";
import {
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_NEWEST,
  CH_NEWEST_STORED,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_SKIP_FAR,
  CH_SKIP_NEAR,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_VERSION,
} from "../memory/layout-channel.ts";
import {
  AGE_COUNT,
  AGE_NEWEST,
  AGE_OLDEST,
  AGE_UNSORTED_UNTIL,
  HEAD_INTERNAL,
  HEAD_STORED,
  HEAD_TRANSIENT,
} from "../memory/layout-header.ts";
import {
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_ID,
  MSG_LAST,
  MSG_NEWER,
  MSG_NEXT,
  MSG_OLDER,
  MSG_SKIP,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
  NO_EVENT_TEXT,
  SKIP_FAR,
  SKIP_NEAR,
} from "../memory/layout-message.ts";
import { DamageError } from "../recovery/damage.ts";

/**
 * The check word of a header: recovery trusts no message without it. Not for payload bytes: the stamp comes
 * after those.
 */
export function checkOf({ i32 }: Arena, at: number): number {
  let check = 0x51ce;
  for (let word = MSG_NEXT; word < MSG_CHECK; word++) {
    // Signed words: unsigned ones are no integers to the engine above 2^31, and the loop would never be
    // compiled well.
    check = Math.imul(check ^ i32[at + word]!, 0x9e3779b1);
    check ^= check >>> 15;
  }
  return check >>> 0;
}

/** Bytes of event id, event type, data and whom it is by together, from the header words. */
export function bytesOf(u32: Uint32Array, at: number): number {
  const lengths = u32[at + MSG_EVENT_LENGTHS]!;
  const text = textLength(lengths & 0xffff) + textLength(lengths >>> 16);
  return text + u32[at + MSG_DATA_LENGTH]! + (u32[at + MSG_FLAGS]! >>> BEHIND_SHIFT);
}

const textLength = (half: number): number => (half === NO_EVENT_TEXT ? 0 : half);

export const blocksOf = (layout: Layout, u32: Uint32Array, at: number): number =>
  blocksForMessage(layout, bytesOf(u32, at));

/** AGE_* words of the age list a message belongs to. */
const ageListOf = (flags: number): number =>
  (flags & FLAG_STORED) === 0 ? HEAD_TRANSIENT : (flags & FLAG_INTERNAL) === 0 ? HEAD_STORED : HEAD_INTERNAL;

/**
 * Plans to hang a message in, as the newest of its channel and of its age list: its links say where, and
 * nobody follows them yet.
 */
export function planLinking(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const flags = u32[at + MSG_FLAGS]!;
  const list = ageListOf(flags);
  u32[at + MSG_AGE_OLDER] = u32[list + AGE_NEWEST]!;
  u32[at + MSG_AGE_NEWER] = 0;
  u32[JOURNAL_AGE_COUNT] = u32[list + AGE_COUNT]! + 1;
  const record = channelWord(layout, u32[at + MSG_CHANNEL]!);
  const inChannel = (flags & FLAG_DELETION) === 0;
  u32[at + MSG_OLDER] = inChannel ? u32[record + CH_NEWEST]! : 0;
  u32[at + MSG_NEWER] = 0;
  if (!inChannel) return;
  if ((flags & FLAG_PRESENCE) === 0) u32[at + MSG_SKIP] = skipFrom(arena, record, at);
  planCounts(arena, record, at, 1);
}

/** What the channel's counts will be with one stored message more or less, if this is one. */
function planCounts({ u32, layout }: Arena, record: number, at: number, change: 1 | -1): void {
  const isStored = (u32[at + MSG_FLAGS]! & FLAG_STORED) !== 0;
  const blocks = isStored ? blocksOf(layout, u32, at) : 0;
  u32[JOURNAL_STORED_COUNT] = u32[record + CH_STORED_COUNT]! + (isStored ? change : 0);
  u32[JOURNAL_STORED_BLOCKS] = u32[record + CH_STORED_BLOCKS]! + change * blocks;
}

/** Hangs a stamped message in as its channel's newest. Readers may follow the new links at once. */
export function linkInChannel(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const record = channelWord(layout, u32[at + MSG_CHANNEL]!);
  const older = u32[at + MSG_OLDER]!;
  // The three stores pair with the loads in seek.ts and reader.ts: a block reached by a link has its header
  // complete.
  if (older === 0) Atomics.store(u32, record + CH_OLDEST, block);
  else Atomics.store(u32, blockWord(layout, older) + MSG_NEWER, block);
  Atomics.store(u32, record + CH_NEWEST, block);
  // It has the id of another, and nothing leads to it but the links of its neighbours.
  if ((u32[at + MSG_FLAGS]! & FLAG_PRESENCE) !== 0) return;
  if ((u32[at + MSG_ID]! & (SKIP_NEAR - 1)) === 0) u32[record + CH_SKIP_NEAR] = block;
  if ((u32[at + MSG_ID]! & (SKIP_FAR - 1)) === 0) u32[record + CH_SKIP_FAR] = block;
  if ((u32[at + MSG_FLAGS]! & FLAG_STORED) === 0) return;
  if (u32[record + CH_OLDEST_STORED] === 0) u32[record + CH_OLDEST_STORED] = block;
  setWide(u32, record + CH_NEWEST_STORED, wide(u32, at + MSG_ID));
  u32[record + CH_STORED_COUNT] = u32[JOURNAL_STORED_COUNT]!;
  u32[record + CH_STORED_BLOCKS] = u32[JOURNAL_STORED_BLOCKS]!;
}

/**
 * Where a search may go on from this message without meeting those between: SKIP_FAR or SKIP_NEAR ids back.
 * Ids have holes once messages are evicted; then there is nothing to skip to, and the search takes single
 * steps as far as the next that has.
 */
function skipFrom({ u32 }: Arena, record: number, at: number): number {
  if ((u32[at + MSG_ID]! & (SKIP_NEAR - 1)) !== 0) return 0;
  const isFar = (u32[at + MSG_ID]! & (SKIP_FAR - 1)) === 0;
  return u32[record + (isFar ? CH_SKIP_FAR : CH_SKIP_NEAR)]!;
}

/**
 * What newcomers could ask for and can no longer. Not always the newest of those last: a lowered ttl takes
 * messages out of turn.
 */
function markGone({ u32 }: Arena, record: number, at: number): void {
  const time = u32[at + MSG_TIME]!;
  const tag = u32[at + MSG_TAG]!;
  const known = u32[record + CH_GONE_TIME]!;
  if (time < known || (time === known && tag <= u32[record + CH_GONE_TAG]!)) return;
  u32[record + CH_GONE_TIME] = time;
  u32[record + CH_GONE_TAG] = tag;
}

/** Hangs a message in as the newest of its age list. */
export function linkByAge(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const list = ageListOf(u32[blockWord(layout, block) + MSG_FLAGS]!);
  linkBehind(arena, block, list, u32[JOURNAL_AGE_COUNT]!);
}

function linkBehind({ u32, layout }: Arena, block: number, list: number, count: number): void {
  const at = blockWord(layout, block);
  const older = u32[at + MSG_AGE_OLDER]!;
  if (older === 0) {
    u32[list + AGE_OLDEST] = block;
  } else {
    const before = blockWord(layout, older);
    u32[before + MSG_AGE_NEWER] = block;
    const expires = u32[before + MSG_EXPIRES]!;
    // This one expires before its elder: the sweep must look behind the front until the elder is gone.
    if (expires > u32[at + MSG_EXPIRES]! && expires > u32[list + AGE_UNSORTED_UNTIL]!) {
      u32[list + AGE_UNSORTED_UNTIL] = expires;
    }
  }
  u32[list + AGE_NEWEST] = block;
  u32[list + AGE_COUNT] = count;
}

/**
 * Frees a message: readers that hold its stamp see that it is gone, walkers of its channel see that the links
 * moved.
 */
export function dropMessage(arena: Arena, block: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  // A list that leads here twice, or out of the file.
  if (!u32[at + MSG_STAMP]) throw new DamageError(`a list has block ${block}, which has no message`);
  const flags = u32[at + MSG_FLAGS]!;
  u32[JOURNAL_BLOCK] = block;
  u32[JOURNAL_AGE_COUNT] = u32[ageListOf(flags) + AGE_COUNT]! - 1;
  planCounts(arena, channelWord(layout, u32[at + MSG_CHANNEL]!), at, -1);
  planGiving(arena, blocksOf(layout, u32, at));
  arm(arena, DROP_MESSAGE);
  carryOutDrop(arena);
  disarm(arena);
  if ((flags & (FLAG_STORED | FLAG_INTERNAL)) === FLAG_STORED) countTrash(arena, nowSec);
}

/** The header stays as it was, but for the stamp, until somebody takes the block. */
export function carryOutDrop(arena: Arena): void {
  const { u32, layout } = arena;
  const block = u32[JOURNAL_BLOCK]!;
  const at = blockWord(layout, block);
  const flags = u32[at + MSG_FLAGS]!;
  const inChannel = (flags & FLAG_DELETION) === 0;
  const versionWord = channelWord(layout, u32[at + MSG_CHANNEL]!) + CH_VERSION;
  const odd = (u32[versionWord]! | 1) >>> 0;
  // Odd: pairs with the first look of Reader. The next store makes it visible before the links change.
  if (inChannel) u32[versionWord] = odd;
  // Pairs with the second look of readMessage: what it copied before this was the message.
  Atomics.store(u32, at + MSG_STAMP, 0);
  writeFence();
  arena.fault?.("evict-unstamped");
  if (inChannel) {
    unlinkFromChannel(arena, at, block);
    // Even again, but another number: pairs with the second look of Reader.
    Atomics.store(u32, versionWord, (odd + 1) >>> 0);
  }
  unlinkByAge(arena, ageListOf(flags), u32[at + MSG_AGE_OLDER]!, u32[at + MSG_AGE_NEWER]!);
  givePlanned(arena, block, u32[at + MSG_LAST]!);
}

/**
 * Takes a stored message out of what newcomers may ask for. It rests unstored until `expires`, because
 * workers that have not dispatched it yet and streams that lag are still owed it. The links in its channel
 * stay, so walkers see nothing but the flag.
 */
export function demoteMessage(arena: Arena, block: number, expires: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  u32[JOURNAL_BLOCK] = block;
  u32[JOURNAL_EXPIRES] = Math.min(u32[at + MSG_EXPIRES]!, expires);
  u32[JOURNAL_AGE_OLDER] = u32[at + MSG_AGE_OLDER]!;
  u32[JOURNAL_AGE_NEWER] = u32[at + MSG_AGE_NEWER]!;
  u32[JOURNAL_AGE_COUNT] = u32[HEAD_STORED + AGE_COUNT]! - 1;
  u32[JOURNAL_TRANSIENT_NEWEST] = u32[HEAD_TRANSIENT + AGE_NEWEST]!;
  u32[JOURNAL_TRANSIENT_COUNT] = u32[HEAD_TRANSIENT + AGE_COUNT]! + 1;
  planCounts(arena, channelWord(layout, u32[at + MSG_CHANNEL]!), at, -1);
  arm(arena, DEMOTE_MESSAGE);
  carryOutDemotion(arena);
  disarm(arena);
  countTrash(arena, nowSec);
}

export function carryOutDemotion(arena: Arena): void {
  const { u32, layout } = arena;
  const block = u32[JOURNAL_BLOCK]!;
  const at = blockWord(layout, block);
  const record = channelWord(layout, u32[at + MSG_CHANNEL]!);
  unlinkByAge(arena, HEAD_STORED, u32[JOURNAL_AGE_OLDER]!, u32[JOURNAL_AGE_NEWER]!);
  u32[at + MSG_FLAGS] = (u32[at + MSG_FLAGS]! & ~FLAG_STORED) >>> 0;
  u32[at + MSG_EXPIRES] = u32[JOURNAL_EXPIRES]!;
  // Who dies here together with main leaves a header that a rebuild does not trust: the message is dropped a
  // little early.
  u32[at + MSG_CHECK] = checkOf(arena, at);
  u32[at + MSG_AGE_OLDER] = u32[JOURNAL_TRANSIENT_NEWEST]!;
  u32[at + MSG_AGE_NEWER] = 0;
  linkBehind(arena, block, HEAD_TRANSIENT, u32[JOURNAL_TRANSIENT_COUNT]!);
  settleStored(arena, record, at, block);
}

function unlinkFromChannel(arena: Arena, at: number, block: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, u32[at + MSG_CHANNEL]!);
  const older = u32[at + MSG_OLDER]!;
  const newer = u32[at + MSG_NEWER]!;
  if (older === 0) u32[record + CH_OLDEST] = newer;
  else u32[blockWord(layout, older) + MSG_NEWER] = newer;
  if (newer === 0) u32[record + CH_NEWEST] = older;
  else u32[blockWord(layout, newer) + MSG_OLDER] = older;
  if ((u32[at + MSG_FLAGS]! & FLAG_STORED) !== 0) settleStored(arena, record, at, block);
}

/** What a channel knows of its stored messages, when one is no longer. */
function settleStored(arena: Arena, record: number, at: number, block: number): void {
  const { u32 } = arena;
  markGone(arena, record, at);
  u32[record + CH_STORED_COUNT] = u32[JOURNAL_STORED_COUNT]!;
  u32[record + CH_STORED_BLOCKS] = u32[JOURNAL_STORED_BLOCKS]!;
  if (u32[record + CH_OLDEST_STORED] === block) {
    u32[record + CH_OLDEST_STORED] = storedFrom(arena, u32[at + MSG_NEWER]!);
  }
}

/**
 * The first stored message from `block` on towards the newest. The pointer only ever moves that way, so this
 * is O(1) a message.
 */
function storedFrom(arena: Arena, block: number): number {
  const { u32, layout } = arena;
  for (let left = layout.blocks; left > 0; left--) {
    if (block === 0 || (u32[blockWord(layout, block) + MSG_FLAGS]! & FLAG_STORED) !== 0) return block;
    block = u32[blockWord(layout, block) + MSG_NEWER]!;
  }
  throw new DamageError("a channel has more messages than there are blocks");
}

function unlinkByAge({ u32, layout }: Arena, list: number, older: number, newer: number): void {
  if (older === 0) u32[list + AGE_OLDEST] = newer;
  else u32[blockWord(layout, older) + MSG_AGE_NEWER] = newer;
  if (newer === 0) u32[list + AGE_NEWEST] = older;
  else u32[blockWord(layout, newer) + MSG_AGE_OLDER] = older;
  u32[list + AGE_COUNT] = u32[JOURNAL_AGE_COUNT]!;
}
