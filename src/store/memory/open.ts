/**
 * Opening a channel by its name: what every publish and subscription begins with. Apart from channels.ts
 * because a new channel is told of in the events channel, which is a channel itself.
 */

import { createChannel, NO_ROOM } from "../channel/channel-life.ts";
import type { ChannelRef } from "../channel/channel-ref.ts";
import { activeUntil, classOf, incarnationOf, isClassFull } from "../channel/channels.ts";
import { freeOne } from "../channel/idle-channels.ts";
import { hashName } from "../channel/names.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { CHANNEL_CREATED, publishEvent } from "../message/events.ts";
import { BUSY } from "../outcome.ts";
import type { StorePolicy } from "../policy.ts";
import { type Arena, channelWord, growWide, wide } from "./arena.ts";
import { lookUp, probe } from "./hash-table.ts";
import { CH_ACTIVE_UNTIL, CH_INCARNATION, CH_RESTS_SINCE } from "./layout-channel.ts";
import { HEAD_FREE_CHANNEL, HEAD_NAME_BLOCKS, HEAD_ROOMLESS } from "./layout-header.ts";

/** The limit of the channel's class is reached (StorePolicy). */
const TOO_MANY = -1;

/** Names are of different lengths: room for a long one may take the blocks of several short ones. */
const MOST_FREED = 8;

/**
 * Finds or creates: the index, with the incarnation in `into`; -1 = the limit of its class is reached, -2 =
 * no room for it, BUSY (-3) = the lock could not be had.
 */
export function openChannel(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  nowSec: number,
  into: ChannelRef,
): number {
  const hash = hashName(arena, name);
  const found = lookUp(arena, name, hash, into);
  if (found >= 0) {
    keepForNow(arena, policy, into, nowSec);
    return found;
  }
  if (found === BUSY) return BUSY;
  let index = findOrCreate(arena, policy, name, hash, nowSec, into);
  for (let freed = 0; index === NO_ROOM && freed < MOST_FREED; freed++) {
    if (!freeOne(arena, policy, nowSec)) break;
    index = findOrCreate(arena, policy, name, hash, nowSec, into);
  }
  if (index === NO_ROOM) countRoomless(arena);
  return index;
}

function findOrCreate(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  hash: number,
  nowSec: number,
  into: ChannelRef,
): number {
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  // Another process may have created it since.
  let index = probe(arena, name, hash, into);
  if (index < 0) {
    index = create(arena, policy, name, hash, nowSec);
    if (index >= 0) into.set(index, incarnationOf(arena, index));
  }
  release(arena);
  return index;
}

function create(arena: Arena, policy: StorePolicy, name: Uint8Array, hash: number, nowSec: number): number {
  const channelClass = classOf(policy, name);
  if (isClassFull(arena, policy, channelClass)) return TOO_MANY;
  const index = createChannel(arena, policy, name, hash, channelClass, nowSec);
  if (index >= 0) publishEvent(arena, policy, CHANNEL_CREATED, index, nowSec);
  return index;
}

/**
 * A channel that the next sweep, or the next channel while records are scarce, might take away before its
 * finder stands or publishes in it: not in this second. Otherwise a few looks at words that are at hand. If
 * the lock is taken it goes without; losing it is told, too.
 */
function keepForNow(
  arena: Arena,
  policy: StorePolicy,
  { index, incarnation }: ChannelRef,
  nowSec: number,
): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const isStale = u32[record + CH_ACTIVE_UNTIL]! < nowSec;
  const isScarce = u32[HEAD_FREE_CHANNEL] === 0 || u32[HEAD_NAME_BLOCKS]! > layout.mostNameBlocks / 2;
  if (!isStale && (!isScarce || u32[record + CH_RESTS_SINCE] === nowSec)) return;
  if (!tryAcquire(arena)) return;
  if (u32[record + CH_INCARNATION] === incarnation) {
    u32[record + CH_RESTS_SINCE] = nowSec;
    if (isStale) u32[record + CH_ACTIVE_UNTIL] = activeUntil(policy, nowSec);
  }
  release(arena);
}

/** For the metrics; not worth a wait for the lock. */
function countRoomless(arena: Arena): void {
  if (!tryAcquire(arena)) return;
  growWide(arena, HEAD_ROOMLESS, wide(arena.u32, HEAD_ROOMLESS) + 1);
  release(arena);
}
