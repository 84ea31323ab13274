/**
 * Housekeeping once a second (push-stream spec 6.3, 6.4): expired messages, deleted channels, inactive
 * channels, trash. Every worker calls it, the first one in a second does it. The lock is given back between
 * slices, so that a publish waits for a slice at most, and one call does a bounded amount of work, so that
 * the calling worker's connections do not stall; what is left waits for the next second, and so does what
 * finds the lock taken: nothing here is worth waiting for. Each part says whether it got the lock whenever it
 * wanted it.
 */

import { release, SWEEP_MS, tryAcquire } from "../lock/lock.ts";
import { type Arena, blockWord, channelWord } from "../memory/arena.ts";
import {
  CH_ACTIVE_UNTIL,
  CH_AFTER,
  CH_OLDEST,
  CH_RESTS_SINCE,
  CH_STATE,
  STATE_DELETED,
} from "../memory/layout-channel.ts";
import {
  AGE_OLDEST,
  AGE_UNSORTED_UNTIL,
  HEAD_DELETED,
  HEAD_STORED,
  HEAD_SWEEP_CHANNEL,
  HEAD_SWEEP_SECOND,
  HEAD_TRANSIENT,
  HEAD_TRASHED,
  LIST_FIRST,
} from "../memory/layout-header.ts";
import { MSG_AGE_NEWER, MSG_STAMP } from "../memory/layout-message.ts";
import { CHANNEL_DESTROYED, EVENTS_A_SLICE, endLateSubscriptions, publishEvent } from "../message/events.ts";
import { dropMessage } from "../message/unlinking.ts";
import type { StorePolicy } from "../policy.ts";
import { noteVacated } from "../webhook/webhook-log.ts";
import { freeRecord, trashDeleted } from "./channel-life.ts";
import { firstOfList } from "./channel-lists.ts";
import { subscriberCountOf } from "./channels.ts";
import { dropExpired, isExpired } from "./evict.ts";
import { collectChannel, emptyChannel, isIdle, SLICE } from "./idle-channels.ts";
import { TRASH_SEC } from "./trash.ts";

const SLICES_PER_SWEEP = 128;
/** Messages behind the front looked at in one sweep while a list is unsorted. */
const SCAN_LIMIT = 65536;
/**
 * A deleted channel stays "in delete" for at least this long, so that statistics show it (push-stream spec
 * 6.3).
 */
const IN_DELETE_SEC = 1;
/**
 * A deleted channel waits for the workers that have subscribers in it; main kills one that stands still long
 * before this is over, so it is for clocks that jump (a suspended machine) and for what should not happen.
 * Their subscriptions are then ended for them.
 */
const GIVE_BACK_SEC = 60;
/** Every channel is looked at within two sweeps, of so many in every one; the spec allows four seconds. */
const CHANNEL_SWEEPS = 2;
const CHANNELS_A_SWEEP = 32768;

export function sweepStore(arena: Arena, policy: StorePolicy, nowMs: number): void {
  const nowSec = Math.floor(nowMs / 1000);
  const done = Atomics.load(arena.u32, HEAD_SWEEP_SECOND);
  // One sweep a second over all processes: only one of them wins this exchange.
  if (done === nowSec || Atomics.compareExchange(arena.u32, HEAD_SWEEP_SECOND, done, nowSec) !== done) return;
  const isDone =
    sweepExpired(arena, nowSec) &&
    sweepUnsorted(arena, HEAD_STORED, nowSec) &&
    sweepUnsorted(arena, HEAD_TRANSIENT, nowSec) &&
    sweepDeleted(arena, policy, nowSec) &&
    sweepInactive(arena, policy, nowSec) &&
    sweepTrash(arena, nowSec);
  // Another worker, whose second begins at another moment, may have more luck in this one.
  if (!isDone) Atomics.compareExchange(arena.u32, HEAD_SWEEP_SECOND, nowSec, done);
}

function sweepExpired(arena: Arena, nowSec: number): boolean {
  for (let slice = 0; slice < SLICES_PER_SWEEP; slice++) {
    if (!tryAcquire(arena, SWEEP_MS)) return false;
    const dropped = dropExpired(arena, SLICE, nowSec);
    release(arena);
    if (dropped < SLICE) break;
  }
  return true;
}

/**
 * Looks behind the front of an age list that is not sorted by expiry, because the ttl was lowered by a reload
 * or the clock went back. Costs nothing otherwise. Between slices the place is remembered by block and stamp;
 * when that message is gone, the rest waits for the next sweep.
 */
function sweepUnsorted(arena: Arena, list: number, nowSec: number): boolean {
  const { u32, layout } = arena;
  if (u32[list + AGE_UNSORTED_UNTIL]! <= nowSec) return true;
  let block = 0;
  let stamp = 0;
  for (let looked = 0; looked < SCAN_LIMIT; ) {
    if (!tryAcquire(arena, SWEEP_MS)) return false;
    if (looked === 0) block = u32[list + AGE_OLDEST]!;
    else if (block !== 0 && u32[blockWord(layout, block) + MSG_STAMP] !== stamp) block = 0;
    for (let step = 0; step < SLICE && block !== 0; step++, looked++) {
      const newer = u32[blockWord(layout, block) + MSG_AGE_NEWER]!;
      if (isExpired(arena, block, nowSec)) dropMessage(arena, block, nowSec);
      block = newer;
    }
    if (block !== 0) stamp = u32[blockWord(layout, block) + MSG_STAMP]!;
    release(arena);
    if (block === 0) break;
  }
  return true;
}

/**
 * Empties deleted channels and moves those to the trash whose last subscriber was told in every worker, so
 * that all `client_unsubscribed` precede `channel_destroyed` (push-stream spec 7).
 */
function sweepDeleted(arena: Arena, policy: StorePolicy, nowSec: number): boolean {
  const { u32, layout } = arena;
  let link = u32[HEAD_DELETED + LIST_FIRST]!;
  for (let work = 0; work < SLICE * SLICES_PER_SWEEP && link !== 0; work++) {
    const index = link - 1;
    const record = channelWord(layout, index);
    if (!tryAcquire(arena, SWEEP_MS)) return false;
    const since = u32[record + CH_RESTS_SINCE]!;
    // The state: the lock was free since the link was read.
    const due = u32[record + CH_STATE] === STATE_DELETED && isOver(since, IN_DELETE_SEC, nowSec);
    if (due) work += emptyChannel(arena, record, nowSec);
    if (due && u32[record + CH_OLDEST] === 0) {
      const isLate = isOver(since, GIVE_BACK_SEC, nowSec);
      const isDone = !isLate || endLateSubscriptions(arena, policy, index, nowSec);
      if (isDone) link = u32[record + CH_AFTER]!;
      else work += EVENTS_A_SLICE;
      if (isDone && (isLate || subscriberCountOf(arena, index) === 0)) {
        trashDeleted(arena, index, nowSec);
        publishEvent(arena, policy, CHANNEL_DESTROYED, index, nowSec);
        noteVacated(arena, policy, index, nowSec);
      }
    }
    release(arena);
    if (!due) break;
  }
  return true;
}

/**
 * Collects channels without stored messages and subscribers that were not used for a while. Looks first,
 * locks only then.
 */
function sweepInactive(arena: Arena, policy: StorePolicy, nowSec: number): boolean {
  const { u32, layout } = arena;
  const half = Math.ceil(layout.channels / CHANNEL_SWEEPS);
  const portion = Math.min(layout.channels, Math.max(half, CHANNELS_A_SWEEP));
  let index = u32[HEAD_SWEEP_CHANNEL]! % layout.channels;
  let collected = 0;
  let isFree = true;
  for (let looked = 0; looked < portion && collected < SLICE * SLICES_PER_SWEEP; looked++) {
    if (isInactive(arena, index, nowSec)) {
      isFree = tryAcquire(arena, SWEEP_MS);
      if (!isFree) break;
      if (isInactive(arena, index, nowSec)) collectChannel(arena, policy, index, nowSec);
      release(arena);
      collected++;
    }
    index = index + 1 === layout.channels ? 0 : index + 1;
  }
  u32[HEAD_SWEEP_CHANNEL] = index;
  return isFree;
}

/** Push-stream spec 6.4: idle, and `expires < now`. */
const isInactive = (arena: Arena, index: number, nowSec: number): boolean =>
  arena.u32[channelWord(arena.layout, index) + CH_ACTIVE_UNTIL]! < nowSec && isIdle(arena, index);

/** Frees channels that were in the trash for long enough, first in first out. */
function sweepTrash(arena: Arena, nowSec: number): boolean {
  const { u32, layout } = arena;
  for (let freed = 0; freed < SLICE * SLICES_PER_SWEEP; freed++) {
    const first = firstOfList(arena, HEAD_TRASHED);
    if (first < 0 || !isOver(u32[channelWord(layout, first) + CH_RESTS_SINCE]!, TRASH_SEC, nowSec)) break;
    if (!tryAcquire(arena, SWEEP_MS)) return false;
    // Another process may have taken the record since the look above.
    if (firstOfList(arena, HEAD_TRASHED) === first) freeRecord(arena, first);
    release(arena);
  }
  return true;
}

/** True when more than `sec` whole seconds have passed; also when the clock went back by more than that. */
const isOver = (since: number, sec: number, nowSec: number): boolean => Math.abs(nowSec - since) > sec;
