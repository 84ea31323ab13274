/**
 * Events for webhooks, as messages of the internal channel `webhooks`: what is written there, from where, and
 * under which lock. Which events there are and what is told of them is documented in docs/webhooks.md; who
 * sends them is src/webhooks.
 *
 *   a message: event id = the channel's name, event type = the kind, data = members of a JSON object
 *
 * Publishes and deletions are not written where they happen: the dispatch ring has them all, in order, and
 * the worker that sends copies them over (record), so a publish costs the same with webhooks and without. Who
 * comes and goes is noted where it is counted, under the same lock, so it is not lost with its process.
 * Without webhooks (StorePolicy.webhooks) all of this is one look at the policy.
 */

import { subscriberCountOf } from "../channel/channels.ts";
import { appendInternal, Internal, type InternalBounds, openInternal } from "../channel/internal-channels.ts";
import { isInternal } from "../channel/internal-places.ts";
import { copyName } from "../channel/names.ts";
import { type Arena, channelWord } from "../memory/arena.ts";
import { CH_ATTENDED, CH_INCARNATION, CH_STATE, STATE_LIVE } from "../memory/layout-channel.ts";
import { HEAD_CLOCK_SEC } from "../memory/layout-header.ts";
import { NO_EVENT_TEXT } from "../memory/layout-message.ts";
import type { StorePolicy } from "../policy.ts";

const encoder = new TextEncoder();

/** Of the log; its number of messages is bounded by their bytes. */
export const boundsOf = (maxBytes: number): InternalBounds => ({ maxMessages: 0xffffffff, maxBytes });

const kinds = new Map<string, Uint8Array>();

/** There are few. */
function kindBytes(kind: string): Uint8Array {
  const known = kinds.get(kind) ?? encoder.encode(kind);
  kinds.set(kind, known);
  return known;
}

export interface Noted {
  readonly kind: string;
  readonly channel: Uint8Array;
  /** Members of a JSON object, without its braces. */
  readonly members: Uint8Array;
  /** When it happened; absent: now. In a cluster by the engine's clock. */
  readonly sec?: number;
}

/** Appends one; true: it is in, false: it is larger than what there is for all of them. Under the lock. */
export function noteEvent(
  arena: Arena,
  policy: StorePolicy,
  { kind, channel, members, sec = 0 }: Noted,
  nowSec: number,
): boolean {
  if (!policy.webhooks) return false;
  const index = openInternal(arena, policy, Internal.webhooks, nowSec);
  const message = {
    data: members,
    eventId: channel,
    eventType: kindBytes(kind),
  };
  const bounds = boundsOf(policy.webhooks.backlogBytes);
  if (index < 0 || channel.length >= NO_EVENT_TEXT) return false;
  return appendInternal(arena, index, message, bounds, sec || clockOf(arena, nowSec)) > 0;
}

/** What says that something is missing. */
export const GAP = "gap";
const ONE_MISSED = encoder.encode('"missed":1');
const NO_CHANNEL = new Uint8Array(0);

/** Appends one, or that it is missing. Under the lock. */
export function noteOrGap(arena: Arena, policy: StorePolicy, noted: Noted, nowSec: number): void {
  if (noteEvent(arena, policy, noted, nowSec)) return;
  noteEvent(arena, policy, { ...noted, kind: GAP, channel: NO_CHANNEL, members: ONE_MISSED }, nowSec);
}

const timeMember = (sec: number): Uint8Array => encoder.encode(`"time":${sec}`);

/** Places in a cluster are compared over nodes (webhooks/node-turn.ts). */
const clockOf = ({ u32, layout }: Arena, nowSec: number): number =>
  layout.clusterWord === 0 ? nowSec : u32[HEAD_CLOCK_SEC]!;

// --- who is there ------------------------------------------------------------------------------------------
// CH_ATTENDED of a record: its lowest bit says that the channel was told to be occupied; the others change
// with every arrival, so that somebody who watches for it to stay empty sees that it did not.

const TOLD = 1;
const ARRIVAL = 2;

/** Somebody was counted in. Under the lock. */
export function noteArrival(arena: Arena, policy: StorePolicy, index: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = channelWord(layout, index) + CH_ATTENDED;
  u32[at] = (u32[at]! + ARRIVAL) >>> 0;
  if ((u32[at]! & TOLD) === 0) noteOccupied(arena, policy, index, nowSec);
}

/** Tells that a channel is occupied, unless that was told or nobody wants to know. Under the lock. */
export function noteOccupied(arena: Arena, policy: StorePolicy, index: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = channelWord(layout, index) + CH_ATTENDED;
  if ((u32[at]! & TOLD) !== 0 || isInternal(arena, index)) return;
  const channel = copyName(arena, index);
  if (policy.webhooks?.isWatched(channel) !== true) return;
  if (noteEvent(arena, policy, { kind: "occupied", channel, members: timeMember(nowSec) }, nowSec))
    u32[at] = (u32[at]! | TOLD) >>> 0;
}

/**
 * Tells that a channel is vacated if it was told to be occupied. Its record still has its name. Under the
 * lock.
 */
export function noteVacated(arena: Arena, policy: StorePolicy, index: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = channelWord(layout, index) + CH_ATTENDED;
  if ((u32[at]! & TOLD) === 0) return;
  const noted = { kind: "vacated", channel: copyName(arena, index), members: timeMember(nowSec) };
  if (!policy.webhooks || noteEvent(arena, policy, noted, nowSec)) u32[at] = (u32[at]! & ~TOLD) >>> 0;
}

/** A channel that was told to be occupied, as somebody saw it. */
export interface Attended {
  readonly index: number;
  readonly incarnation: number;
  /** CH_ATTENDED. */
  readonly word: number;
  readonly isEmpty: boolean;
}

/** null: nobody was told of it. Without the lock. */
export function attendedOf(arena: Arena, index: number): Attended | null {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const word = u32[record + CH_ATTENDED]!;
  if ((word & TOLD) === 0 || u32[record + CH_STATE] !== STATE_LIVE) return null;
  const incarnation = u32[record + CH_INCARNATION]!;
  return { index, incarnation, word, isEmpty: subscriberCountOf(arena, index) === 0 };
}

/**
 * Whether it has subscribers and nobody was told so: those that came before anybody wanted to know. Without
 * the lock.
 */
export function isUntold(arena: Arena, index: number): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const isOpen = u32[record + CH_STATE] === STATE_LIVE && (u32[record + CH_ATTENDED]! & TOLD) === 0;
  return isOpen && subscriberCountOf(arena, index) > 0;
}

/** The same channel is as it was seen: nobody has come since. Under the lock. */
export function isStillEmpty(arena: Arena, { index, incarnation, word }: Attended): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  return (
    u32[record + CH_INCARNATION] === incarnation &&
    u32[record + CH_ATTENDED] === word &&
    subscriberCountOf(arena, index) === 0
  );
}
