/**
 * A clustered node's store as replica of the log: applies its entries, in their order, each once. Called
 * through Store by cluster/.
 *
 * The cursor (term and number of the last entry) changes under the same lock as what the entry did. A process
 * that dies between the two leaves a message whose cursor did not move: the entry is applied again, and its
 * position, which is not above the channel's last, says that it is here already.
 *
 * The ids of a clustered store are the cluster's positions, so a place in a channel means the same on every
 * node. Where a counter begins anew the channel gets a jump (layout-cluster.ts), which is nobody's loss.
 */
import { FLAG_STORED, type Marks } from "../../message.ts";
import { createChannel } from "../channel/channel-life.ts";
import { ChannelRef } from "../channel/channel-ref.ts";
import { activeUntil, classOf } from "../channel/channels.ts";
import { dropExpired, makeRoom } from "../channel/evict.ts";
import { freeOne } from "../channel/idle-channels.ts";
import { hashName } from "../channel/names.ts";
import { countTrash } from "../channel/trash.ts";
import { pushJump, raiseFloor } from "../jumps.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, leapWide, setWide, wide, wideShared } from "../memory/arena.ts";
import { blocksForMessage } from "../memory/blocks.ts";
import { probe } from "../memory/hash-table.ts";
import {
  CH_ACTIVE_UNTIL,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
} from "../memory/layout-channel.ts";
import {
  CX_BASE,
  CX_FLOOR,
  CX_N,
  CX_PUBLISHED,
  CX_TERM,
  HEAD_SHARDS,
  HEAD_UNPLACED,
  SHARD_APPLIED_SEC,
  SHARD_ENTRY_SEC,
  SHARD_N,
  SHARD_PUBLISHED,
  SHARD_TERM,
  SHARD_TOP,
  SHARD_WORDS,
} from "../memory/layout-cluster.ts";
import { HEAD_CLOCK_SEC, HEAD_CLOCK_TAG } from "../memory/layout-header.ts";
import { addMessage } from "../message/publication.ts";
import { behindOf, fillMessage, flagsOf } from "../message/publish.ts";
import { nextSerial, publishEntry } from "../message/ring.ts";
import { trimChannel } from "../message/trim.ts";
import { BUSY } from "../outcome.ts";
import { expiry, type StorePolicy } from "../policy.ts";

/** Where in the log an entry stands, and what every entry says of its shard. */
export interface LogPlace {
  readonly shard: number;
  readonly term: number;
  readonly n: number;
  /** Engine's clock, which also counts the messages of a second (push-stream spec 6.1). */
  readonly sec: number;
  readonly tag: number;
  /** Messages published in the shard so far; highest position given out. */
  readonly total: number;
  readonly top: number;
}

export interface LogMessage extends LogPlace {
  readonly channel: Uint8Array;
  /** Of its counter, which began at `base`. */
  readonly position: number;
  readonly base: number;
  /** Messages published to the channel so far, this one included. */
  readonly published: number;
  readonly isStored: boolean;
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  readonly marks: Marks | null;
}

export const APPLIED = 1;
/** It was applied before. */
export const KNOWN = 0;
/** There is no room for its channel: it is lost to this node, and counted. */
export const UNPLACED = -1;

const found = new ChannelRef();

export const shardWord = (shard: number): number => HEAD_SHARDS + shard * SHARD_WORDS;

/** Whether an entry is behind the cursor. */
export function isNext({ u32 }: Arena, { shard, term, n }: LogPlace): boolean {
  const at = shardWord(shard);
  const cursor = wide(u32, at + SHARD_TERM);
  return term > cursor || (term === cursor && n > wide(u32, at + SHARD_N));
}

/** Under the lock, last of all. */
export function moveCursor({ u32 }: Arena, place: LogPlace, nowSec: number): void {
  const at = shardWord(place.shard);
  setWide(u32, at + SHARD_PUBLISHED, place.total);
  if (place.top > wide(u32, at + SHARD_TOP)) setWide(u32, at + SHARD_TOP, place.top);
  u32[at + SHARD_ENTRY_SEC] = place.sec;
  u32[at + SHARD_APPLIED_SEC] = nowSec;
  if (
    place.sec > u32[HEAD_CLOCK_SEC]! ||
    (place.sec === u32[HEAD_CLOCK_SEC] && place.tag > u32[HEAD_CLOCK_TAG]!)
  ) {
    // Who reads between the three sees a moment that is too early, and waits (subscribe/ahead.ts).
    u32[HEAD_CLOCK_TAG] = 0;
    u32[HEAD_CLOCK_SEC] = place.sec;
    u32[HEAD_CLOCK_TAG] = place.tag;
  }
  setWide(u32, at + SHARD_N, place.n);
  setWide(u32, at + SHARD_TERM, place.term);
}

/** APPLIED, KNOWN, UNPLACED, or BUSY: nothing was done. */
export function applyMessage(arena: Arena, policy: StorePolicy, entry: LogMessage, nowMs: number): number {
  const nowSec = Math.floor(nowMs / 1000);
  const name = entry.channel;
  const hash = hashName(arena, name);
  for (let tries = 0; ; tries++) {
    if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
    if (!isNext(arena, entry)) {
      release(arena);
      return KNOWN;
    }
    const index = placeFor(arena, policy, name, hash, nowSec);
    if (index < 0 && tries < MOST_FREED) {
      release(arena);
      if (freeOne(arena, policy, nowSec)) continue;
      tries = MOST_FREED;
      continue;
    }
    const outcome = index < 0 ? unplaced(arena) : applyTo(arena, policy, index, entry, nowSec);
    moveCursor(arena, entry, nowSec);
    release(arena);
    return outcome;
  }
}

const MOST_FREED = 8;

function unplaced({ u32 }: Arena): number {
  setWide(u32, HEAD_UNPLACED, wide(u32, HEAD_UNPLACED) + 1);
  return UNPLACED;
}

/**
 * For somebody who stands there on another node: BUSY, or below 0 where there is no room. No event tells of
 * it.
 */
export function openUntold(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  hash: number,
  nowSec: number,
  into: ChannelRef,
): number {
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  const index = placeFor(arena, policy, name, hash, nowSec);
  if (index >= 0) into.set(index, arena.u32[channelWord(arena.layout, index) + CH_INCARNATION]!);
  release(arena);
  return index;
}

/** The channel, made where there is none: what the cluster took is not refused by a limit of this node. */
function placeFor(arena: Arena, policy: StorePolicy, name: Uint8Array, hash: number, nowSec: number): number {
  const index = probe(arena, name, hash, found);
  return index >= 0 ? index : createChannel(arena, policy, name, hash, classOf(policy, name), nowSec);
}

function applyTo(
  arena: Arena,
  policy: StorePolicy,
  index: number,
  entry: LogMessage,
  nowSec: number,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const more = record + layout.clusterWord;
  if (entry.base < wide(u32, more + CX_BASE)) return passBelow(arena, index, record);
  if (entry.base !== wide(u32, more + CX_BASE)) beginCounter(arena, record, entry);
  setWide(u32, more + CX_PUBLISHED, entry.published);
  setWide(u32, more + CX_TERM, entry.term);
  setWide(u32, more + CX_N, entry.n);
  if (entry.position <= wide(u32, record + CH_LAST_ID)) return KNOWN;
  u32[record + CH_ACTIVE_UNTIL] = activeUntil(policy, nowSec);
  const expires = expiry(entry.isStored ? policy.messageTtlSec : policy.unstoredTtlSec, entry.sec);
  const text = (entry.eventId?.length ?? 0) + (entry.eventType?.length ?? 0);
  const bytes = entry.data.length + text + (entry.marks === null ? 0 : behindOf(entry.marks));
  const blocks = blocksForMessage(layout, bytes);
  // Replayed, and over; or larger than this node's store.
  if (expires <= nowSec || !makeRoom(arena, blocks, nowSec)) {
    u32[record + CH_LAST_TIME] = entry.sec;
    u32[record + CH_LAST_TAG] = entry.tag;
    leapWide(arena, record + CH_LAST_ID, entry.position);
    return expires <= nowSec ? APPLIED : unplaced(arena);
  }
  append(arena, index, blocks, entry, expires);
  if (!entry.isStored) countTrash(arena, nowSec);
  trimChannel(arena, record, policy, nowSec);
  dropExpired(arena, EXPIRE_PER_APPEND, nowSec);
  return APPLIED;
}

const EXPIRE_PER_APPEND = 2;

/**
 * A history that was begun anew with a clock behind, by somebody who knew less, runs below what was read here
 * until a node that knows more writes to it (cluster/script.ts). The message has no place here, and whoever
 * stands in the channel is told that something was missed.
 */
function passBelow(arena: Arena, index: number, record: number): number {
  const { u32 } = arena;
  const to = wide(u32, record + CH_LAST_ID) + 1;
  raiseFloor(arena, record, to);
  leapWide(arena, record + CH_LAST_ID, to);
  publishEntry(arena, nextSerial(arena), index, 0, u32[record + CH_INCARNATION]!);
  return unplaced(arena);
}

/**
 * The first of a channel that was not known here says where the knowledge begins; of one that was, that
 * nothing lies between.
 */
function beginCounter(arena: Arena, record: number, { base, position }: LogMessage): void {
  const { u32, layout } = arena;
  const more = record + layout.clusterWord;
  const lastId = wide(u32, record + CH_LAST_ID);
  const isFirst = wide(u32, more + CX_BASE) === 0;
  if (isFirst) setWide(u32, more + CX_FLOOR, position - 1);
  else if (base > lastId) pushJump(arena, record, lastId, base);
  const from = isFirst ? position - 1 : base;
  if (from > lastId) leapWide(arena, record + CH_LAST_ID, from);
  setWide(u32, more + CX_BASE, base);
}

/** As appendMessage does it, with place, time and tag of the log. */
function append(arena: Arena, index: number, blocks: number, entry: LogMessage, expires: number): void {
  const { u32, layout } = arena;
  const { eventId, eventType, data, position, sec, tag, marks } = entry;
  const flags = (entry.isStored ? FLAG_STORED : 0) | (marks === null ? 0 : flagsOf(marks));
  const block = fillMessage(
    arena,
    blocks,
    position,
    sec,
    tag,
    expires,
    flags,
    data,
    eventId,
    eventType,
    marks,
  );
  addMessage(arena, block, index, u32[channelWord(layout, index) + CH_INCARNATION]!);
}

/**
 * Messages ever published to the channel: in a store that is no node's, the last id (push-stream spec 0.4).
 */
export function publishedIn({ u32, layout }: Arena, index: number): number {
  const record = channelWord(layout, index);
  return layout.clusterWord === 0
    ? wideShared(u32, record + CH_LAST_ID)
    : wideShared(u32, record + layout.clusterWord + CX_PUBLISHED);
}
