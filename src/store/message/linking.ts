/**
 * Hanging a message into the lists: its channel's, and that of all stored, unstored or internal ones by age.
 * Planned in the journal first, then carried out, so that whoever dies at it is finished for. Used by
 * publication.ts and recovery; under the lock. unlinking.ts is the way out.
 */
import { FLAG_DELETION, FLAG_INTERNAL, FLAG_PRESENCE, FLAG_STORED } from "../../message.ts";
import { JOURNAL_AGE_COUNT, JOURNAL_STORED_BLOCKS, JOURNAL_STORED_COUNT } from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, setWide, wide } from "../memory/arena.ts";
import {
  CH_NEWEST,
  CH_NEWEST_STORED,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_SKIP_FAR,
  CH_SKIP_NEAR,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
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
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_ID,
  MSG_NEWER,
  MSG_OLDER,
  MSG_SKIP,
  SKIP_FAR,
  SKIP_NEAR,
} from "../memory/layout-message.ts";
import { blocksOf } from "./message-words.ts";

/** AGE_* words of the age list a message belongs to. */
export const ageListOf = (flags: number): number =>
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

/** The same behind `before`, which is planned but not there yet. */
export function planLinkingBehind(arena: Arena, before: number, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  u32[blockWord(layout, before) + MSG_AGE_NEWER] = block;
  u32[at + MSG_AGE_OLDER] = before;
  u32[at + MSG_AGE_NEWER] = 0;
  u32[JOURNAL_AGE_COUNT] = u32[JOURNAL_AGE_COUNT]! + 1;
  u32[at + MSG_OLDER] = before;
  u32[at + MSG_NEWER] = 0;
  u32[at + MSG_SKIP] = skipFrom(arena, channelWord(layout, u32[at + MSG_CHANNEL]!), at);
  if ((u32[at + MSG_FLAGS]! & FLAG_STORED) === 0) return;
  u32[JOURNAL_STORED_COUNT] = u32[JOURNAL_STORED_COUNT]! + 1;
  u32[JOURNAL_STORED_BLOCKS] = u32[JOURNAL_STORED_BLOCKS]! + blocksOf(layout, u32, at);
}

/** What the channel's counts will be with one stored message more or less, if this is one. */
export function planCounts({ u32, layout }: Arena, record: number, at: number, change: 1 | -1): void {
  const isStored = (u32[at + MSG_FLAGS]! & FLAG_STORED) !== 0;
  const blocks = isStored ? blocksOf(layout, u32, at) : 0;
  u32[JOURNAL_STORED_COUNT] = u32[record + CH_STORED_COUNT]! + (isStored ? change : 0);
  u32[JOURNAL_STORED_BLOCKS] = u32[record + CH_STORED_BLOCKS]! + change * blocks;
}

/** What a channel counts, with the message or the run that is hung in now. */
export function settleCounts({ u32 }: Arena, record: number): void {
  u32[record + CH_STORED_COUNT] = u32[JOURNAL_STORED_COUNT]!;
  u32[record + CH_STORED_BLOCKS] = u32[JOURNAL_STORED_BLOCKS]!;
}

/** Hangs a stamped message in as its channel's newest. Readers may follow the new links at once. */
export function linkInChannel(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const record = channelWord(layout, u32[at + MSG_CHANNEL]!);
  const older = u32[at + MSG_OLDER]!;
  // The three stores pair with the loads in seek.ts and reader.ts: a block reached by a link has its header
  // complete, since all of them are behind the atomic store of a stamp.
  if (older === 0) u32[record + CH_OLDEST] = block;
  else u32[blockWord(layout, older) + MSG_NEWER] = block;
  u32[record + CH_NEWEST] = block;
  // It has the id of another, and nothing leads to it but the links of its neighbours.
  if ((u32[at + MSG_FLAGS]! & FLAG_PRESENCE) !== 0) return;
  if ((u32[at + MSG_ID]! & (SKIP_NEAR - 1)) === 0) u32[record + CH_SKIP_NEAR] = block;
  if ((u32[at + MSG_ID]! & (SKIP_FAR - 1)) === 0) u32[record + CH_SKIP_FAR] = block;
  if ((u32[at + MSG_FLAGS]! & FLAG_STORED) === 0) return;
  if (u32[record + CH_OLDEST_STORED] === 0) u32[record + CH_OLDEST_STORED] = block;
  setWide(u32, record + CH_NEWEST_STORED, wide(u32, at + MSG_ID));
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

/** Hangs a message, or a run from its first to its last, in as the newest of its age list. */
export function linkByAge(arena: Arena, block: number, last = block): void {
  const { u32, layout } = arena;
  const list = ageListOf(u32[blockWord(layout, block) + MSG_FLAGS]!);
  linkBehind(arena, block, last, list, u32[JOURNAL_AGE_COUNT]!);
}

/** Those between the two are linked, and expire with the first. */
export function linkBehind(
  { u32, layout }: Arena,
  block: number,
  last: number,
  list: number,
  count: number,
): void {
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
  u32[list + AGE_NEWEST] = last;
  u32[list + AGE_COUNT] = count;
}
