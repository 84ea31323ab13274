/**
 * The events channel (push-stream spec 7): what happens to channels and subscribers, published as messages of
 * one ordinary channel. Called where it happens: open.ts, sweep.ts, and through Store where fan-out counts
 * subscribers in and out. Creation and end of a channel are told under the same lock as they are done, so
 * events are in the order of what they tell, over all workers; an event of a process that dies between the
 * two is lost.
 *
 * Without an events channel all of this is one look at HEAD_EVENTS_CHANNEL. That word, not the policy, says
 * whether there is one: a reload may name another, which is for the next start.
 */

import { createChannel } from "../channel/channel-life.ts";
import { ChannelRef } from "../channel/channel-ref.ts";
import { incarnationOf, isAttended, lastIdOf, removeSubscriber, storedCountOf } from "../channel/channels.ts";
import { isInternal } from "../channel/internal-places.ts";
import { copyName, hashName } from "../channel/names.ts";
import { acquire, release, SWEEP_MS, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, growWide, setWide, wide } from "../memory/arena.ts";
import { probe } from "../memory/hash-table.ts";
import {
  CH_CLASS,
  CH_LAST_ID,
  CH_STATE,
  CH_SUBSCRIBERS,
  CLASS_NORMAL,
  CLASS_WILDCARD,
  STATE_DELETED,
  STATE_LIVE,
} from "../memory/layout-channel.ts";
import {
  HEAD_EVENTS_BEFORE,
  HEAD_EVENTS_CHANNEL,
  HEAD_EVENTS_FROM,
  HEAD_EVICTED,
  HEAD_WILDCARDS,
} from "../memory/layout-header.ts";
import type { StorePolicy } from "../policy.ts";
import { isOwnChannel, putOut } from "./events-outbox.ts";
import { appendMessage } from "./publish.ts";

/** Events published in one go under the lock: some 30 µs. */
export const EVENTS_A_SLICE = 16;
/** And in one turn of main's event loop, where a worker with thousands of subscribers died: some 10 ms. */
const EVENTS_A_TURN = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export interface EventKind {
  readonly name: string;
  /** The Event-Type of the message. */
  readonly type: Uint8Array;
}

const eventKind = (name: string): EventKind => ({ name, type: encoder.encode(name) });

export const CHANNEL_CREATED = eventKind("channel_created");
export const CLIENT_SUBSCRIBED = eventKind("client_subscribed");
export const CLIENT_UNSUBSCRIBED = eventKind("client_unsubscribed");
export const CHANNEL_DESTROYED = eventKind("channel_destroyed");

/** Index of the events channel, -1 when there is none. Does not change while the store is open. */
export const eventsChannelOf = ({ u32 }: Arena): number => u32[HEAD_EVENTS_CHANNEL]! - 1;

/**
 * Publishes one event about a channel whose record still has its name; not about the events channel itself.
 * Always stored, under the usual ttl and limit; counted as evicted when there is no room for it beside the
 * names of channels. Under the lock; whoever releases it rings the workers (Arena.eventsDue).
 */
export function publishEvent(
  arena: Arena,
  policy: StorePolicy,
  kind: EventKind,
  index: number,
  nowSec: number,
): void {
  const events = eventsChannelOf(arena);
  if (events < 0 || events === index || isInternal(arena, index)) return;
  const channel = JSON.stringify(decoder.decode(copyName(arena, index)));
  const data = encoder.encode(`{"type": "${kind.name}", "channel": ${channel}}`);
  if (arena.layout.clusterWord !== 0) {
    if (isElsewhere(arena, kind, index)) return;
    if (!putOut(arena, policy, data, kind.type, nowSec))
      growWide(arena, HEAD_EVICTED, wide(arena.u32, HEAD_EVICTED) + 1);
    return;
  }
  const incarnation = incarnationOf(arena, events);
  const id = appendMessage(
    arena,
    policy,
    events,
    incarnation,
    data,
    null,
    kind.type,
    true,
    nowSec * 1000,
    true,
  );
  if (id > 0) arena.eventsDue = true;
  else growWide(arena, HEAD_EVICTED, wide(arena.u32, HEAD_EVICTED) + 1);
}

/** A channel's beginning and end are told by the node where it began. */
const isElsewhere = (arena: Arena, kind: EventKind, index: number): boolean =>
  (kind === CHANNEL_CREATED || kind === CHANNEL_DESTROYED) &&
  !isOwnChannel(arena, index, kind === CHANNEL_CREATED);

/**
 * Tells of a subscription that is counted in this incarnation (isAttended); of no other, because nobody would
 * tell of its end. False: the lock could not be had.
 */
export function tellOfSubscriber(
  arena: Arena,
  policy: StorePolicy,
  index: number,
  incarnation: number,
  nowSec: number,
): boolean {
  if (!tryAcquire(arena, SWEEP_MS)) return false;
  if (isAttended(arena, index, incarnation)) publishEvent(arena, policy, CLIENT_SUBSCRIBED, index, nowSec);
  release(arena);
  return true;
}

/**
 * Counts a subscription out and tells of it, where there is an events channel. Both under one lock, so that
 * it is either this worker that tells, or the one that ends it in its place, and nobody twice. False: the
 * lock could not be had.
 */
export function endOwnSubscription(
  arena: Arena,
  policy: StorePolicy,
  slot: number,
  index: number,
  incarnation: number | undefined,
  nowSec: number,
): boolean {
  if (!tryAcquire(arena, SWEEP_MS)) return false;
  if (incarnation !== undefined && isAttended(arena, index, incarnation)) {
    endSubscriptions(arena, policy, slot, index, 1, nowSec);
  } else removeSubscriber(arena, slot, index, incarnation);
  release(arena);
  return true;
}

/**
 * Tells of the end of up to `limit` subscriptions that a slot has in a channel, and counts them out; how
 * many. Under the lock.
 */
function endSubscriptions(
  arena: Arena,
  policy: StorePolicy,
  slot: number,
  index: number,
  limit: number,
  nowSec: number,
): number {
  const { u32, layout } = arena;
  const at = channelWord(layout, index) + CH_SUBSCRIBERS + slot;
  let ended = 0;
  for (; ended < limit && u32[at]! > 0; ended++) {
    publishEvent(arena, policy, CLIENT_UNSUBSCRIBED, index, nowSec);
    u32[at] = u32[at]! - 1;
  }
  return ended;
}

/**
 * Ends subscriptions in a deleted channel in the name of workers that did not (sweep.ts), so that nobody is
 * left in a channel that is told to be destroyed. True when all have ended, false when that is more than a
 * slice. Without an events channel nothing is to be done. Under the lock.
 */
export function endLateSubscriptions(
  arena: Arena,
  policy: StorePolicy,
  index: number,
  nowSec: number,
): boolean {
  if (eventsChannelOf(arena) < 0) return true;
  let left = EVENTS_A_SLICE;
  for (let slot = 0; slot < arena.layout.workerSlots && left > 0; slot++) {
    left -= endSubscriptions(arena, policy, slot, index, left, nowSec);
  }
  return left > 0;
}

/**
 * Tells of the end of every subscription that a worker which is gone had: it could not. One that died in the
 * middle of telling may have one of them told twice. In the channels `from` to `to`; answers the one that it
 * came to, less than `to` where the lock is taken, or where there is more to tell than is good for one turn.
 */
export function tellOfLost(
  arena: Arena,
  policy: StorePolicy,
  slot: number,
  nowSec: number,
  from: number,
  to: number,
): number {
  if (eventsChannelOf(arena) < 0) return to;
  const { u32, layout } = arena;
  let told = 0;
  for (let index = from; index < to; index++) {
    const record = channelWord(layout, index);
    // A slice at a time: others wait for the lock.
    for (let ended = EVENTS_A_SLICE; ended === EVENTS_A_SLICE && u32[record + CH_SUBSCRIBERS + slot]! > 0; ) {
      if (!tryAcquire(arena, SWEEP_MS)) return index;
      const state = u32[record + CH_STATE];
      const isTold = state === STATE_LIVE || state === STATE_DELETED;
      ended = isTold ? endSubscriptions(arena, policy, slot, index, EVENTS_A_SLICE, nowSec) : 0;
      release(arena);
      told += ended;
      if (told >= EVENTS_A_TURN) return index;
    }
  }
  return to;
}

/**
 * Main, at open, alone: finds or makes the events channel that the policy names. It is of the normal class
 * and needs no free place under the limit. The one of an earlier life, if it was another, goes on as a
 * channel like all others. True when it is the same as before. Throws when there is no room.
 */
export function appointEventsChannel(arena: Arena, policy: StorePolicy, nowSec: number): boolean {
  const { u32, layout } = arena;
  const name = policy.eventsChannel;
  const before = eventsChannelOf(arena);
  acquire(arena);
  u32[HEAD_EVENTS_CHANNEL] = 0;
  const hash = hashName(arena, name);
  let index = -1;
  if (name.length > 0) {
    index = probe(arena, name, hash, new ChannelRef());
    if (index < 0) index = createChannel(arena, policy, name, hash, CLASS_NORMAL, nowSec);
  }
  if (name.length > 0 && index < 0) {
    release(arena);
    throw new Error("the store has no room for the events channel");
  }
  if (index !== before) {
    setWide(u32, HEAD_EVENTS_BEFORE, eventsOf(arena, before));
    setWide(u32, HEAD_EVENTS_FROM, index < 0 ? 0 : lastIdOf(arena, index));
  }
  if (index >= 0) makeNormal(u32, channelWord(layout, index));
  u32[HEAD_EVENTS_CHANNEL] = index + 1;
  release(arena);
  return index === before;
}

/** A wildcard channel of an earlier life becomes the events channel. */
function makeNormal(u32: Uint32Array, record: number): void {
  if (u32[record + CH_CLASS] === CLASS_WILDCARD) u32[HEAD_WILDCARDS] = u32[HEAD_WILDCARDS]! - 1;
  u32[record + CH_CLASS] = CLASS_NORMAL;
}

/**
 * Events ever published, while the channel at `index` was the last of them to be in use; its count begins
 * where it became that.
 */
function eventsOf({ u32, layout }: Arena, index: number): number {
  const before = wide(u32, HEAD_EVENTS_BEFORE);
  if (index < 0) return before;
  return before + wide(u32, channelWord(layout, index) + CH_LAST_ID) - wide(u32, HEAD_EVENTS_FROM);
}

/**
 * What the zone's totals leave out (push-stream spec 0.4): events published and events stored. Under the
 * lock.
 */
export function eventTotals(arena: Arena): { published: number; stored: number } {
  return { published: eventsOf(arena, eventsChannelOf(arena)), stored: storedEvents(arena) };
}

export function storedEvents(arena: Arena): number {
  const index = eventsChannelOf(arena);
  return index < 0 ? 0 : storedCountOf(arena, index);
}

/**
 * Recovery, when the channels are settled: an events channel that did not survive is none; the next open
 * makes it again.
 */
export function dropLostEventsChannel(arena: Arena): void {
  const { u32, layout } = arena;
  const index = eventsChannelOf(arena);
  if (index < 0) return;
  const inFile = index < layout.channels;
  if (inFile && u32[channelWord(layout, index) + CH_STATE] === STATE_LIVE) return;
  // The counters of a free record are still there.
  if (inFile) setWide(u32, HEAD_EVENTS_BEFORE, eventsOf(arena, index));
  u32[HEAD_EVENTS_CHANNEL] = 0;
}
