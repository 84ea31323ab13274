/**
 * Taking a message out of the lists: dropped for good, or demoted to one that newcomers get no longer.
 * Planned in the journal first, then carried out, so that whoever dies at it is finished for. Used by
 * publish, evict, sweep and redo; under the lock. linking.ts is the way in.
 */
import { FLAG_DELETION, FLAG_INTERNAL, FLAG_STORED } from "../../message.ts";
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
import { type Arena, blockWord, channelWord, writeFence } from "../memory/arena.ts";
import { givePlanned, planGiving } from "../memory/blocks.ts";
import {
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_NEWEST,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_VERSION,
} from "../memory/layout-channel.ts";
import { AGE_COUNT, AGE_NEWEST, AGE_OLDEST, HEAD_STORED, HEAD_TRANSIENT } from "../memory/layout-header.ts";
import {
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_LAST,
  MSG_NEWER,
  MSG_OLDER,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
} from "../memory/layout-message.ts";
import { DamageError } from "../recovery/damage.ts";
import { ageListOf, linkBehind, planCounts } from "./linking.ts";
import { blocksOf, checkOf } from "./message-words.ts";

/**
 * What newcomers could ask for and can no longer. Not always the newest of those last: a lowered ttl takes
 * messages out of turn.
 */
export function markGone({ u32 }: Arena, record: number, at: number): void {
  const time = u32[at + MSG_TIME]!;
  const tag = u32[at + MSG_TAG]!;
  const known = u32[record + CH_GONE_TIME]!;
  if (time < known || (time === known && tag <= u32[record + CH_GONE_TAG]!)) return;
  u32[record + CH_GONE_TIME] = time;
  u32[record + CH_GONE_TAG] = tag;
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
  linkBehind(arena, block, block, HEAD_TRANSIENT, u32[JOURNAL_TRANSIENT_COUNT]!);
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
export function storedFrom(arena: Arena, block: number): number {
  const { u32, layout } = arena;
  for (let left = layout.blocks; left > 0; left--) {
    if (block === 0 || (u32[blockWord(layout, block) + MSG_FLAGS]! & FLAG_STORED) !== 0) return block;
    block = u32[blockWord(layout, block) + MSG_NEWER]!;
  }
  throw new DamageError("a channel has more messages than there are blocks");
}

export function unlinkByAge({ u32, layout }: Arena, list: number, older: number, newer: number): void {
  if (older === 0) u32[list + AGE_OLDEST] = newer;
  else u32[blockWord(layout, older) + MSG_AGE_NEWER] = newer;
  if (newer === 0) u32[list + AGE_NEWEST] = older;
  else u32[blockWord(layout, newer) + MSG_AGE_OLDER] = older;
  u32[list + AGE_COUNT] = u32[JOURNAL_AGE_COUNT]!;
}
