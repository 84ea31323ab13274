/**
 * Channels that nobody uses, and what becomes of them. The sweep collects those that were idle for long; when
 * every record is taken, or all that names may take of the blocks, a new channel takes the place of any idle
 * one, so that nobody can fill the store with channels and walk away.
 *
 * Who looks for an idle channel looks without the lock and makes sure under it. The search goes on where the
 * last one stopped, so idle channels are taken in turn, and its cost is bounded three times: LOOKS_A_SEARCH
 * for one caller; a whole table in vain each second for all processes together; CHEAP_LOOKS free for each one
 * found, so that a table with many idle channels makes room at any rate.
 */

import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, growWide, wide } from "../memory/arena.ts";
import {
  CH_CLASS,
  CH_OLDEST,
  CH_RESTS_SINCE,
  CH_STATE,
  CH_STORED_COUNT,
  CLASS_INTERNAL,
  STATE_LIVE,
} from "../memory/layout-channel.ts";
import {
  HEAD_IDLE_CHANNEL,
  HEAD_IDLE_LOOKS,
  HEAD_IDLE_SECOND,
  HEAD_RECLAIMED,
  HEAD_TRASHED,
} from "../memory/layout-header.ts";
import { CHANNEL_DESTROYED, eventsChannelOf, publishEvent } from "../message/events.ts";
import { dropMessage } from "../message/unlinking.ts";
import type { StorePolicy } from "../policy.ts";
import { noteVacated } from "../webhook/webhook-log.ts";
import { freeRecord, retireChannel } from "./channel-life.ts";
import { firstOfList } from "./channel-lists.ts";
import { subscriberCountOf } from "./channels.ts";

/** Messages dropped in one go under the lock: some 20 µs. */
export const SLICE = 128;

/** About half a millisecond, where records are not in the processor's cache. */
const LOOKS_A_SEARCH = 65_536;
const CHEAP_LOOKS = 1024;

/** Nothing stored, nobody there, and neither the events channel (push-stream spec 6.4) nor one of ours. */
export function isIdle(arena: Arena, index: number): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  return (
    u32[record + CH_STATE] === STATE_LIVE &&
    u32[record + CH_STORED_COUNT] === 0 &&
    u32[record + CH_CLASS] !== CLASS_INTERNAL &&
    index !== eventsChannelOf(arena) &&
    subscriberCountOf(arena, index) === 0
  );
}

/**
 * Whether its record may be given to another. Not before the second in which it was made or asked for is
 * over: whoever did that has not stood in it yet. Unstored messages rest in it for somebody who may come back
 * for them.
 */
function isSpare(arena: Arena, index: number, nowSec: number): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  return isIdle(arena, index) && u32[record + CH_OLDEST] === 0 && u32[record + CH_RESTS_SINCE] !== nowSec;
}

/**
 * Frees one record and its name: the one that has been in the trash for the longest time, else that of a
 * spare channel. False: there is none, or the lock could not be had.
 */
export function freeOne(arena: Arena, policy: StorePolicy, nowSec: number): boolean {
  const spare = firstOfList(arena, HEAD_TRASHED) < 0 ? findSpare(arena, nowSec) : -1;
  if (!tryAcquire(arena, REQUEST_MS)) return false;
  if (spare >= 0 && isSpare(arena, spare, nowSec)) {
    collectChannel(arena, policy, spare, nowSec);
    growWide(arena, HEAD_RECLAIMED, wide(arena.u32, HEAD_RECLAIMED) + 1);
  }
  const resting = firstOfList(arena, HEAD_TRASHED);
  if (resting >= 0) freeRecord(arena, resting);
  release(arena);
  return resting >= 0;
}

/**
 * A channel that looks spare, -1 = none was met. Without the lock, like the three words it keeps: they are
 * hints.
 */
function findSpare(arena: Arena, nowSec: number): number {
  const { u32, layout } = arena;
  if (u32[HEAD_IDLE_SECOND] !== nowSec) {
    u32[HEAD_IDLE_SECOND] = nowSec;
    u32[HEAD_IDLE_LOOKS] = 0;
  }
  const before = u32[HEAD_IDLE_LOOKS]!;
  const limit = Math.min(LOOKS_A_SEARCH, layout.channels - Math.min(before, layout.channels));
  let index = u32[HEAD_IDLE_CHANNEL]! % layout.channels;
  let found = -1;
  let looks = 0;
  while (found < 0 && looks < limit) {
    if (isSpare(arena, index, nowSec)) found = index;
    index = index + 1 === layout.channels ? 0 : index + 1;
    looks++;
  }
  u32[HEAD_IDLE_CHANNEL] = index;
  u32[HEAD_IDLE_LOOKS] = before + (found < 0 ? looks : Math.max(0, looks - CHEAP_LOOKS));
  return found;
}

/**
 * Takes an idle channel out. Unstored messages may still rest in it; when there are more than a slice of
 * them, the channel waits for the next time. Under the lock.
 */
export function collectChannel(arena: Arena, policy: StorePolicy, index: number, nowSec: number): void {
  const record = channelWord(arena.layout, index);
  emptyChannel(arena, record, nowSec);
  if (arena.u32[record + CH_OLDEST] !== 0) return;
  retireChannel(arena, index, HEAD_TRASHED, nowSec);
  arena.fault?.("collect-retired");
  publishEvent(arena, policy, CHANNEL_DESTROYED, index, nowSec);
  noteVacated(arena, policy, index, nowSec);
}

/** Drops up to a slice of a channel's messages; how many. Under the lock. */
export function emptyChannel(arena: Arena, record: number, nowSec: number): number {
  let dropped = 0;
  for (; dropped < SLICE; dropped++) {
    const oldest = arena.u32[record + CH_OLDEST]!;
    if (oldest === 0) break;
    dropMessage(arena, oldest, nowSec);
  }
  return dropped;
}
