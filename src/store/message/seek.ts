/**
 * Finding a place in a channel's list of messages: after an id (reader.ts), after a time and tag, before the
 * last N (subscribe/backlog.ts).
 *
 * Goes from the newest message towards the older ones, because most who come back missed little. Every
 * SKIP_NEAR-th message leads straight to the one SKIP_NEAR ids before, every SKIP_FAR-th further, so a search
 * among a million takes some five hundred looks instead of a million:
 *
 *   4096 ◄───────────────────────────────────────────────────────── 8192
 *             … ◄── 8000 ◄── 8064 ◄── 8128 ◄──┐              8191 ◄─┘ … (single steps between those of 64)
 *
 * No lock: a look copies a header and believes it when the stamp is the same afterwards. A link that was
 * copied so was true at that moment; what it leads to is the neighbour if it is of the same channel and has a
 * smaller id, since a block that was freed and used again for this channel has a larger one. Nothing found
 * there means that it was evicted just now: look again.
 */
import { FLAG_DELETION, FLAG_PRESENCE, FLAG_STORED } from "../../message.ts";
import { lastIdOf } from "../channel/channels.ts";
import { type Arena, blockWord, channelWord, readFence, wide, wideShared } from "../memory/arena.ts";
import { CH_NEWEST, CH_NEWEST_STORED, CH_OLDEST_STORED, CH_STORED_COUNT } from "../memory/layout-channel.ts";
import { MSG_NUMBER } from "../memory/layout-members.ts";
import {
  MSG_CHANNEL,
  MSG_FLAGS,
  MSG_ID,
  MSG_INCARNATION,
  MSG_OLDER,
  MSG_SKIP,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
  SKIP_FAR,
  SKIP_NEAR,
} from "../memory/layout-message.ts";

/** A message's header as a search sees it. */
export class Sight {
  block = 0;
  stamp = 0;
  id = 0;
  time = 0;
  tag = 0;
  isStored = false;
  /** Of a presence event, else -1: a message comes before the events that have its id. */
  number = -1;
  older = 0;
  skip = 0;

  copy(from: Sight): void {
    this.block = from.block;
    this.stamp = from.stamp;
    this.id = from.id;
    this.time = from.time;
    this.tag = from.tag;
    this.isStored = from.isStored;
    this.number = from.number;
    this.older = from.older;
    this.skip = from.skip;
  }
}

/**
 * What a search found: a place (`Sight` filled), nothing that new, or links that moved under it too often
 * (call again later).
 */
export const AT_PLACE = 1;
export const NOTHING_NEWER = 0;
export const DISTURBED = -1;

/** How often a search looks again when what it stands on is evicted. Each is a race lost by nanoseconds. */
const TRIES = 16;

/**
 * Copies what a search needs of a message of this channel; false when there is none in the block (any more).
 */
export function look(
  { u32, layout, numberBase }: Arena,
  index: number,
  incarnation: number,
  block: number,
  into: Sight,
): boolean {
  if (block === 0 || block > layout.blocks) return false;
  const at = blockWord(layout, block);
  // Pairs with stampMessage: the header is complete.
  const stamp = Atomics.load(u32, at + MSG_STAMP);
  const flags = u32[at + MSG_FLAGS]!;
  if (stamp === 0 || u32[at + MSG_CHANNEL] !== index || u32[at + MSG_INCARNATION] !== incarnation)
    return false;
  // Its id words count deletions.
  if ((flags & FLAG_DELETION) !== 0) return false;
  into.block = block;
  into.stamp = stamp;
  into.id = wide(u32, at + MSG_ID);
  into.time = u32[at + MSG_TIME]!;
  into.tag = u32[at + MSG_TAG]!;
  into.isStored = (flags & FLAG_STORED) !== 0;
  into.older = u32[at + MSG_OLDER]!;
  const isPresence = (flags & FLAG_PRESENCE) !== 0;
  into.number = isPresence ? numberBase + u32[at + MSG_NUMBER]! : -1;
  into.skip = isPresence ? 0 : u32[at + MSG_SKIP]!;
  readFence();
  // Pairs with the store of 0 in dropMessage.
  return Atomics.load(u32, at + MSG_STAMP) === stamp;
}

/** The two sights of a search, swapped at each step. */
let here = new Sight();
let there = new Sight();

/**
 * Fills `into` with the oldest message whose id is above `afterId`, or the oldest presence event behind that
 * id and the number, whichever is older.
 */
export const seekId = (
  arena: Arena,
  index: number,
  incarnation: number,
  afterId: number,
  afterNumber: number,
  into: Sight,
): number =>
  seek(
    arena,
    index,
    incarnation,
    ({ id, number }) => id > afterId || (id === afterId && number > afterNumber),
    // Where there are presence events, one or more of this id may stand before it.
    arena.members === null ? afterId + 1 : afterId - 1,
    into,
  );

/**
 * Fills `into` with the oldest message that is of a later second than `time`, or of the same one with at
 * least this tag (null: of no tag; push-stream spec 4.7). Times and tags grow with the ids (publish.ts), so
 * the same search serves.
 */
export const seekTime = (
  arena: Arena,
  index: number,
  incarnation: number,
  time: number,
  tag: number | null,
  into: Sight,
): number =>
  seek(
    arena,
    index,
    incarnation,
    (sight) => sight.time > time || (tag !== null && sight.time === time && sight.tag >= tag),
    1,
    into,
  );

/** `isBeyond` is true for all messages from one on, false for those before it; none before `firstId` is. */
function seek(
  arena: Arena,
  index: number,
  incarnation: number,
  isBeyond: (sight: Sight) => boolean,
  firstId: number,
  into: Sight,
): number {
  const record = channelWord(arena.layout, index);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // Pairs with the store in linkInChannel.
    const newest = Atomics.load(arena.u32, record + CH_NEWEST);
    if (newest === 0) return NOTHING_NEWER;
    if (!look(arena, index, incarnation, newest, here)) continue;
    if (!isBeyond(here)) return NOTHING_NEWER;
    if (goBack(arena, index, incarnation, isBeyond, firstId)) {
      into.copy(here);
      return AT_PLACE;
    }
  }
  return DISTURBED;
}

/** From `here`, which is beyond, to the oldest that is. False when it was lost under it. */
function goBack(
  arena: Arena,
  index: number,
  incarnation: number,
  isBeyond: (sight: Sight) => boolean,
  firstId: number,
): boolean {
  // The bound is for links of a damaged file: ids fall with every step, so there is no ring, but there may be
  // a wrong number.
  for (let steps = 0; steps <= arena.layout.blocks; steps++) {
    if (here.skip !== 0 && look(arena, index, incarnation, here.skip, there)) {
      const span = here.id % SKIP_FAR === 0 ? SKIP_FAR : SKIP_NEAR;
      if (there.id === here.id - span && isBeyond(there)) {
        swap();
        continue;
      }
    }
    if (here.older === 0 || here.id <= firstId) return true;
    if (!look(arena, index, incarnation, here.older, there) || !isOlder(there, here)) {
      const { block, stamp, older } = here;
      // Evicted just now: the link has moved on, or does so in a moment.
      if (!look(arena, index, incarnation, block, here) || here.stamp !== stamp || here.older === older)
        return false;
      continue;
    }
    if (!isBeyond(there)) return true;
    swap();
  }
  return false;
}

const isOlder = (one: Sight, other: Sight): boolean =>
  one.id < other.id || (one.id === other.id && one.number < other.number);

function swap(): void {
  const passed = here;
  here = there;
  there = passed;
}

/**
 * Newest message of the channel, whatever it is, whose publish is over (see Reader); false when there is
 * none, or it was lost under the search.
 */
export function seeNewest(arena: Arena, index: number, incarnation: number, into: Sight): boolean {
  const newest = Atomics.load(arena.u32, channelWord(arena.layout, index) + CH_NEWEST);
  if (!look(arena, index, incarnation, newest, into)) return false;
  return into.id <= lastIdOf(arena, index) || stepBack(arena, index, incarnation, into);
}

/**
 * Steps from where `sight` stands to the next older message. False when there is none, which is also said
 * when it was lost under the search: what is evicted is mostly the oldest, so nothing older is left then.
 */
export function stepBack(arena: Arena, index: number, incarnation: number, sight: Sight): boolean {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (sight.older === 0) return false;
    if (look(arena, index, incarnation, sight.older, there) && isOlder(there, sight)) {
      sight.copy(there);
      return true;
    }
    const { stamp } = sight;
    if (!look(arena, index, incarnation, sight.block, sight) || sight.stamp !== stamp) return false;
  }
  return false;
}

/**
 * The id before the last `count` stored messages, where arithmetic can tell: all of them are wanted, or there
 * is no hole among them. Else -1: they have to be counted (stepBack). `newest` is what is said of a channel
 * with nothing stored.
 */
export function beforeLastStored(
  arena: Arena,
  index: number,
  incarnation: number,
  count: number,
  newest: number,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const stored = u32[record + CH_STORED_COUNT]!;
  if (stored === 0) return newest;
  if (!look(arena, index, incarnation, u32[record + CH_OLDEST_STORED]!, there)) return -1;
  const oldestId = there.id;
  if (count >= stored) return oldestId - 1;
  if (!seeNewest(arena, index, incarnation, here)) return -1;
  return here.id - oldestId + 1 === stored ? here.id - count : -1;
}

/**
 * Whether a message with an id above `afterId` is stored. True may turn out wrong when a lowered ttl took it
 * before older ones.
 */
export function hasStoredAfter({ u32, layout }: Arena, index: number, afterId: number): boolean {
  const record = channelWord(layout, index);
  return u32[record + CH_STORED_COUNT]! > 0 && wideShared(u32, record + CH_NEWEST_STORED) > afterId;
}
