/**
 * Putting messages in: append and the deletion of a channel. Called through Store by publish/ and subscribe/
 * (WebSocket).
 *
 * The order of an append is what crash safety rests on, all under the lock: bytes and header are written to
 * blocks that are still free → the journal is armed → blocks taken → STAMP (the message is complete) → lists
 * → channel counters → ring entry → ring head (it is published). A process that dies before the journal is
 * armed leaves nothing; what one that dies after it has left to do is done in its place (redo.ts). Where the
 * journal is not to be believed, the stamp says the same: a message with the serial at which the head still
 * stands (recover.ts).
 */
import {
  BEHIND_SHIFT,
  FLAG_DELETION,
  FLAG_STORED,
  FLAG_TRACED,
  FLAG_UNTOLD,
  type Marks,
} from "../../message.ts";
import { ChannelRef } from "../channel/channel-ref.ts";
import { activeUntil } from "../channel/channels.ts";
import { dropExpired, makeRoom } from "../channel/evict.ts";
import { isInternal } from "../channel/internal-places.ts";
import { hashName } from "../channel/names.ts";
import { countTrash } from "../channel/trash.ts";
import { JOURNAL_KEY, JOURNAL_OUSTED_COUNT, JOURNAL_RUN } from "../lock/journal.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, blockWord, channelWord, setWide, wide } from "../memory/arena.ts";
import { blocksForMessage, ChainWriter, planTaking, planTakingMore } from "../memory/blocks.ts";
import { probe } from "../memory/hash-table.ts";
import { CH_ACTIVE_UNTIL, CH_BASE, CH_INCARNATION, CH_LAST_ID } from "../memory/layout-channel.ts";
import {
  HEAD_CLOCK_SEC,
  HEAD_CLOCK_TAG,
  HEAD_DELETIONS,
  HEAD_EVENTS_CHANNEL,
  HEAD_ON_DISK,
} from "../memory/layout-header.ts";
import {
  MSG_DATA_CHECK,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_ID,
  MSG_TAG,
  MSG_TIME,
  MSG_WORDS,
  NO_EVENT_TEXT,
} from "../memory/layout-message.ts";
import { BUSY } from "../outcome.ts";
import { expiry, type StorePolicy } from "../policy.ts";
import { dataCheck } from "../recovery/data-check.ts";
import { type KeyMark, planKey } from "./keys.ts";
import { addDeletion, addPlanned, planMessage } from "./publication.ts";
import { nextSerial } from "./ring.ts";
import { planOusting, trimChannel } from "./trim.ts";

const CHANNEL_GONE = 0;
const TOO_LARGE = -1;
/**
 * Expired messages that an append clears away besides: two, so that a backlog shrinks at any publish rate.
 */
const EXPIRE_PER_APPEND = 2;

const writer = new ChainWriter();
const found = new ChannelRef();

/**
 * `isLocked`: by a caller that goes on under the same lock (events.ts, append-all.ts), and gives it back.
 * `key`: one that is unknown.
 */
export function appendMessage(
  arena: Arena,
  policy: StorePolicy,
  index: number,
  incarnation: number,
  data: Uint8Array,
  eventId: Uint8Array | null,
  eventType: Uint8Array | null,
  stored: boolean,
  nowMs: number,
  isLocked = false,
  key: KeyMark | null = null,
  marks: Marks | null = null,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const nowSec = Math.floor(nowMs / 1000);
  // Throws, and must do so before anything was begun.
  eventLengths(eventId, eventType);
  const behind = marks === null ? 0 : behindOf(marks);
  const bytes = data.length + behind + (eventId?.length ?? 0) + (eventType?.length ?? 0);
  const blocks = blocksForMessage(layout, bytes);
  if (!isLocked && !tryAcquire(arena, REQUEST_MS)) return BUSY;
  if ((incarnation & 1) === 0 || u32[record + CH_INCARNATION] !== incarnation) {
    if (!isLocked) release(arena);
    return CHANNEL_GONE;
  }
  if (!makeRoom(arena, blocks, nowSec)) {
    if (!isLocked) release(arena);
    return TOO_LARGE;
  }
  arena.fault?.("append-room");
  tickClock(u32, nowSec);
  const id = wide(u32, record + CH_LAST_ID) + 1;
  const expires = expiry(stored ? policy.messageTtlSec : policy.unstoredTtlSec, nowSec);
  const flags = (stored ? FLAG_STORED : 0) | (marks === null ? 0 : flagsOf(marks));
  const { [HEAD_CLOCK_SEC]: time, [HEAD_CLOCK_TAG]: tag } = u32;
  const block = fillMessage(arena, blocks, id, time!, tag!, expires, flags, data, eventId, eventType, marks);
  planMessage(arena, block, index, incarnation);
  if (key !== null) {
    const position = wide(u32, record + CH_BASE) + id;
    u32[JOURNAL_KEY] = planKey(arena, key, position, nowSec, policy.keyWindowSec);
  }
  putIn(arena, policy, record, stored, nowSec);
  if (!isLocked) release(arena);
  return id;
}

/** Puts the planned run in, and does what each publish does besides. */
export function putIn(
  arena: Arena,
  policy: StorePolicy,
  record: number,
  stored: boolean,
  nowSec: number,
): void {
  const { u32 } = arena;
  if (stored) planOusting(arena, policy, record);
  addPlanned(arena);
  const run = u32[JOURNAL_RUN]!;
  u32[record + CH_ACTIVE_UNTIL] = activeUntil(policy, nowSec);
  const trash = stored ? u32[JOURNAL_OUSTED_COUNT]! : run;
  if (trash > 0) countTrash(arena, nowSec, trash);
  trimChannel(arena, record, policy, nowSec);
  dropExpired(arena, run * EXPIRE_PER_APPEND, nowSec);
}

/** Bytes that it takes behind the data. */
export const behindOf = ({ by, trace }: Marks): number => by.length + (trace === null ? 0 : trace.length);

export const flagsOf = (marks: Marks): number =>
  (behindOf(marks) << BEHIND_SHIFT) |
  (marks.isUntold ? FLAG_UNTOLD : 0) |
  (marks.trace === null ? 0 : FLAG_TRACED);

/**
 * Writes a message into blocks that are free until addPlanned takes them: the first of them. Under the lock,
 * where there is room. `nth`: of the run that is being planned.
 * `start`, `length`: of the data, where not all of it is the message's.
 */
export function fillMessage(
  arena: Arena,
  blocks: number,
  id: number,
  time: number,
  tag: number,
  expires: number,
  flags: number,
  data: Uint8Array,
  eventId: Uint8Array | null,
  eventType: Uint8Array | null,
  marks: Marks | null = null,
  nth = 0,
  start = 0,
  length = data.length,
): number {
  const { u32, layout } = arena;
  const owner = (nextSerial(arena) + nth) >>> 0;
  const block = nth === 0 ? planTaking(arena, blocks, owner) : planTakingMore(arena, blocks, owner);
  const at = blockWord(layout, block);
  arena.fault?.("append-allocated");
  writer.begin(layout, block, MSG_WORDS);
  if (eventId !== null) writer.write(arena, eventId);
  if (eventType !== null) writer.write(arena, eventType);
  writer.write(arena, data, start, length);
  if (marks !== null) {
    if (marks.trace !== null) writer.write(arena, marks.trace);
    if (marks.by.length > 0) writer.write(arena, marks.by);
  }
  setWide(u32, at + MSG_ID, id);
  u32[at + MSG_TIME] = time;
  u32[at + MSG_TAG] = tag;
  u32[at + MSG_EXPIRES] = expires;
  u32[at + MSG_DATA_LENGTH] = length;
  u32[at + MSG_EVENT_LENGTHS] = eventLengths(eventId, eventType);
  u32[at + MSG_DATA_CHECK] =
    u32[HEAD_ON_DISK] === 0 ? 0 : dataCheck(eventId, eventType, data.subarray(start, start + length));
  u32[at + MSG_FLAGS] = flags;
  return block;
}

/**
 * Removes a channel and tells every worker through the ring (push-stream spec 2.7): 1, 0 = there is none,
 * BUSY (-3).
 */
export function deleteChannel(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  text: Uint8Array,
  nowMs: number,
): number {
  const { u32, layout } = arena;
  const nowSec = Math.floor(nowMs / 1000);
  const hash = hashName(arena, name);
  const blocks = blocksForMessage(layout, text.length);
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  const index = probe(arena, name, hash, found);
  // The events channel lives as long as the store is open (push-stream spec 7), and so do ours.
  if (index < 0 || index === u32[HEAD_EVENTS_CHANNEL]! - 1 || isInternal(arena, index)) {
    release(arena);
    return 0;
  }
  if (!makeRoom(arena, blocks, nowSec)) {
    release(arena);
    throw new RangeError(`the deletion text of ${text.length} bytes is larger than the store`);
  }
  const { incarnation } = found;
  const expires = expiry(policy.unstoredTtlSec, nowSec);
  // Time and tag 0, as subscribers are to see them. The id follows from the flag; its words count deletions.
  const id = wide(u32, HEAD_DELETIONS) + 1;
  const block = fillMessage(arena, blocks, id, 0, 0, expires, FLAG_DELETION, text, null, null);
  addDeletion(arena, block, index, incarnation, nowSec);
  release(arena);
  return 1;
}

/** The second first: torn, it is an earlier moment and not a later one. */
export function clockOf({ u32 }: Arena): { readonly sec: number; readonly tag: number } {
  const sec = Atomics.load(u32, HEAD_CLOCK_SEC);
  return { sec, tag: u32[HEAD_CLOCK_TAG]! };
}

/**
 * Brings the clock of messages to this second: every message that is published from here on has a later time
 * and tag than (`nowSec`, 0), and every one that has not was published before. The lock is taken once a
 * second. False: that cannot be said now (BUSY), or the clock is ahead.
 */
export function clockIsAt(arena: Arena, nowSec: number): boolean {
  const { u32 } = arena;
  // Pairs with the store below: who sees the new second sees all that was published in the old one.
  const sec = Atomics.load(u32, HEAD_CLOCK_SEC);
  if (sec >= nowSec) return sec === nowSec;
  if (!tryAcquire(arena)) return false;
  if (u32[HEAD_CLOCK_SEC]! < nowSec) {
    u32[HEAD_CLOCK_TAG] = 0;
    Atomics.store(u32, HEAD_CLOCK_SEC, nowSec);
  }
  const isAt = u32[HEAD_CLOCK_SEC] === nowSec;
  release(arena);
  return isAt;
}

/**
 * Time and tag of the next message: the tag counts inside one second over all channels, from 1 (push-stream
 * spec 6.1). When the clock goes back, time stands still until it has caught up.
 */
export function tickClock(u32: Uint32Array, nowSec: number): void {
  if (nowSec > u32[HEAD_CLOCK_SEC]!) {
    u32[HEAD_CLOCK_SEC] = nowSec;
    u32[HEAD_CLOCK_TAG] = 1;
  } else {
    u32[HEAD_CLOCK_TAG] = u32[HEAD_CLOCK_TAG]! + 1;
  }
}

export function eventLengths(eventId: Uint8Array | null, eventType: Uint8Array | null): number {
  const idLength = eventId === null ? NO_EVENT_TEXT : eventId.length;
  const typeLength = eventType === null ? NO_EVENT_TEXT : eventType.length;
  if (
    (eventId !== null && idLength >= NO_EVENT_TEXT) ||
    (eventType !== null && typeLength >= NO_EVENT_TEXT)
  ) {
    throw new RangeError("an event id or event type has more than 65,534 bytes");
  }
  return (typeLength * 0x10000 + idLength) >>> 0;
}
