/**
 * Channel records: finding, opening, removing, counting subscribers. Called through Store by publish, fanout,
 * subscribe and admin. Records are preallocated and type-stable: an index always means the same kind of
 * bytes, and the incarnation says whether it is still the channel one knew, so readers need no lock and
 * nothing is ever unmapped under them.
 */

import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, wideShared } from "../memory/arena.ts";
import { lookUp } from "../memory/hash-table.ts";
import {
  CH_AFTER,
  CH_BASE,
  CH_CLASS,
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_STATE,
  CH_STORED_COUNT,
  CH_SUBSCRIBERS,
  CLASS_INTERNAL,
  CLASS_NORMAL,
  CLASS_WILDCARD,
  STATE_DELETED,
} from "../memory/layout-channel.ts";
import { CX_REMOTE } from "../memory/layout-cluster.ts";
import { HEAD_LIVING, HEAD_WILDCARDS, LIST_COUNT, LIST_FIRST, NEVER_SEC } from "../memory/layout-header.ts";
import { isWildcardName, type StorePolicy } from "../policy.ts";
import { isOfLostHistory } from "../replica/forks.ts";
import type { ChannelRef } from "./channel-ref.ts";
import { internalCount } from "./internal-places.ts";
import { copyName, hashName } from "./names.ts";

export const findChannel = (arena: Arena, name: Uint8Array, into: ChannelRef): number =>
  lookUp(arena, name, hashName(arena, name), into);

export const classOf = (policy: StorePolicy, name: Uint8Array): number =>
  isWildcardName(policy, name) ? CLASS_WILDCARD : CLASS_NORMAL;

/** Whether no more channels of a class may live (push-stream spec 3.5). */
export function isClassFull(arena: Arena, policy: StorePolicy, channelClass: number): boolean {
  const { u32 } = arena;
  const wildcards = u32[HEAD_WILDCARDS]!;
  if (channelClass === CLASS_WILDCARD) {
    return policy.maxWildcardChannels > 0 && wildcards >= policy.maxWildcardChannels;
  }
  const normal = u32[HEAD_LIVING + LIST_COUNT]! - wildcards - internalCount(arena);
  return policy.maxChannels > 0 && normal >= policy.maxChannels;
}

/**
 * The second until which a channel without messages and subscribers stays after being used (push-stream spec
 * 6.4).
 */
export const activeUntil = (policy: StorePolicy, nowSec: number): number =>
  policy.channelInactivitySec === 0 ? NEVER_SEC : nowSec + policy.channelInactivitySec;

export const incarnationOf = (arena: Arena, index: number): number =>
  Atomics.load(arena.u32, channelWord(arena.layout, index) + CH_INCARNATION);

export const isLive = (arena: Arena, index: number, incarnation: number): boolean =>
  (incarnation & 1) === 1 && incarnationOf(arena, index) === incarnation;

export const baseOf = (arena: Arena, index: number): number =>
  wideShared(arena.u32, channelWord(arena.layout, index) + CH_BASE);

export const lastIdOf = (arena: Arena, index: number): number =>
  wideShared(arena.u32, channelWord(arena.layout, index) + CH_LAST_ID);

export const storedCountOf = (arena: Arena, index: number): number =>
  arena.u32[channelWord(arena.layout, index) + CH_STORED_COUNT]!;

export const lastTimeOf = (arena: Arena, index: number): number =>
  arena.u32[channelWord(arena.layout, index) + CH_LAST_TIME]!;

export const lastTagOf = (arena: Arena, index: number): number =>
  arena.u32[channelWord(arena.layout, index) + CH_LAST_TAG]!;

/**
 * The two words may be torn for a moment: then they name a time that is too late, and a gap is told once too
 * often.
 */
export function hasLostAfter(arena: Arena, index: number, time: number, tag: number | null): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const goneTag = u32[record + CH_GONE_TAG]!;
  const goneTime = u32[record + CH_GONE_TIME]!;
  if (goneTime > time || (tag !== null && goneTime === time && goneTag > tag)) return true;
  return layout.clusterWord !== 0 && isOfLostHistory(arena, time, tag);
}

export const nameOf = (arena: Arena, index: number): Uint8Array => copyName(arena, index);

/** Of one worker. */
export const subscribersOfSlot = ({ u32, layout }: Arena, index: number, slot: number): number =>
  u32[channelWord(layout, index) + CH_SUBSCRIBERS + slot]!;

export function subscriberCountOf(arena: Arena, index: number): number {
  const { u32, layout } = arena;
  const first = channelWord(layout, index) + CH_SUBSCRIBERS;
  let sum = 0;
  for (let slot = 0; slot < layout.workerSlots; slot++) sum += u32[first + slot]!;
  if (layout.clusterWord !== 0) sum += u32[first + layout.workerSlots + CX_REMOTE]!;
  return sum;
}

/**
 * Without the lock: the word is this worker's own, and one too many for a moment harms nobody. With an events
 * channel others may end its subscriptions for it, so there it is called under the lock (events.ts).
 */
export function removeSubscriber(arena: Arena, slot: number, index: number, incarnation?: number): void {
  if (incarnation !== undefined && !isAttended(arena, index, incarnation)) return;
  const at = channelWord(arena.layout, index) + CH_SUBSCRIBERS + slot;
  const count = arena.u32[at]!;
  if (count > 0) arena.u32[at] = count - 1;
}

/**
 * Whether subscribers of this incarnation are counted: while it lives, and after its deletion until each
 * worker has told them and gave them back. It does not go to the trash before that (sweep.ts), so nobody
 * counted in one of the two can find it otherwise later.
 */
export function isAttended(arena: Arena, index: number, incarnation: number): boolean {
  const current = incarnationOf(arena, index);
  if (current === incarnation) return (incarnation & 1) === 1;
  const { u32, layout } = arena;
  return current === (incarnation + 1) >>> 0 && u32[channelWord(layout, index) + CH_STATE] === STATE_DELETED;
}

/** False: the lock could not be had, and nothing was visited. */
export function eachChannel(arena: Arena, visit: (index: number) => void): boolean {
  // The visit may take long, so the order is copied first.
  const living = livingChannels(arena);
  if (living === null) return false;
  const { indices, incarnations } = living;
  for (let at = 0; at < indices.length; at++) {
    if (isLive(arena, indices[at]!, incarnations[at]!)) visit(indices[at]!);
  }
  return true;
}

/**
 * Which channels of users live now, in creation order: about 5 ns a channel under the lock; null where that
 * cannot be had.
 */
export function livingChannels(arena: Arena): { indices: Uint32Array; incarnations: Uint32Array } | null {
  const { u32, layout } = arena;
  if (!tryAcquire(arena, REQUEST_MS)) return null;
  const indices = new Uint32Array(Math.min(u32[HEAD_LIVING + LIST_COUNT]!, layout.channels));
  const incarnations = new Uint32Array(indices.length);
  let next = u32[HEAD_LIVING + LIST_FIRST]!;
  let count = 0;
  for (let left = indices.length; next !== 0 && left > 0; left--) {
    const record = channelWord(layout, next - 1);
    if (u32[record + CH_CLASS] !== CLASS_INTERNAL) {
      indices[count] = next - 1;
      incarnations[count] = u32[record + CH_INCARNATION]!;
      count++;
    }
    next = u32[record + CH_AFTER]!;
  }
  release(arena);
  return { indices: indices.subarray(0, count), incarnations: incarnations.subarray(0, count) };
}
