/**
 * Several messages under one hold of the lock, each with the answer of its own, and messages with an
 * idempotency key. Called through Store.appendAll by publish/; what has neither a key nor company goes the
 * shorter way (publish.ts). Those that follow each other in one channel go in as a run (publication.ts).
 */
import { FLAG_STORED, type Marks } from "../../message.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, wide } from "../memory/arena.ts";
import { blocksForMessage } from "../memory/blocks.ts";
import { CH_BASE, CH_INCARNATION, CH_LAST_ID } from "../memory/layout-channel.ts";
import { HEAD_CLOCK_SEC, HEAD_CLOCK_TAG, HEAD_FREE_BLOCKS } from "../memory/layout-header.ts";
import { BUSY } from "../outcome.ts";
import { expiry, type StorePolicy } from "../policy.ts";
import { findKey, KEY_REUSED, KEY_UNKNOWN, type KeyMark } from "./keys.ts";
import { MOST_IN_RUN, planFurther, planMessage } from "./publication.ts";
import { appendMessage, behindOf, fillMessage, flagsOf, putIn, tickClock } from "./publish.ts";
import { nextSerial } from "./ring.ts";

/** Nothing has been tried yet. */
export const UNSETTLED = -9;
/** The channel is gone: open it again. */
export const GONE = 0;

export interface Entry {
  readonly index: number;
  readonly incarnation: number;
  /** Its data are so many bytes of these from `start` on, which nobody needs a view of. */
  readonly whole: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  readonly stored: boolean;
  readonly key: KeyMark | null;
  /** What webhooks have to know of it; absent or null: nothing. */
  readonly marks?: Marks | null;
  /** The id, above 0; GONE, -1: larger than the store, KEY_REUSED, UNSETTLED. */
  outcome: number;
  /** Of the message, or of the one that its key came with before. */
  position: number;
  isDuplicate: boolean;
}

/** The others wait meanwhile: some 10 µs, or 0.1 ms where each is in another channel. One run at most. */
const MOST_ENTRIES = MOST_IN_RUN;
const MOST_BYTES = 256 * 1024;

/**
 * For whoever mends (append-mended.ts): what stood at the ring's head before the entries at hand, and the id
 * that the first of them gets.
 */
const hand = { serial: 0, id: 0 };
export const atHand: Readonly<typeof hand> = hand;

/**
 * How many were settled from this one on, or BUSY. Stops before one whose channel is gone, and when others
 * have waited long enough.
 */
export function appendAll(
  arena: Arena,
  policy: StorePolicy,
  entries: readonly Entry[],
  from: number,
  nowMs: number,
): number {
  hand.serial = nextSerial(arena);
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  const end = Math.min(entries.length, from + MOST_ENTRIES);
  let at = from;
  for (let left = MOST_BYTES; at < end && left > 0; ) {
    const entry = entries[at]!;
    hand.serial = nextSerial(arena);
    hand.id = wide(arena.u32, channelWord(arena.layout, entry.index) + CH_LAST_ID) + 1;
    const run = runFrom(arena, entries, at, end, left);
    if (run > 1) settleRun(arena, policy, entries, at, run, nowMs);
    else settle(arena, policy, entry, nowMs);
    if (entry.outcome === GONE) break;
    for (const next = at + run; at < next; at++) left -= entries[at]!.length;
  }
  release(arena);
  return at - from;
}

/** How many go in together from this one on: of one channel, without a key, and with room for all of them. */
function runFrom({ u32, layout }: Arena, entries: readonly Entry[], from: number, end: number, most: number) {
  const { index, incarnation, stored, key } = entries[from]!;
  const isThere = (incarnation & 1) !== 0 && u32[channelWord(layout, index) + CH_INCARNATION] === incarnation;
  if (key !== null || !isThere) return 1;
  let left = most;
  let room = u32[HEAD_FREE_BLOCKS]!;
  let at = from;
  for (; at < end && left > 0; at++) {
    const entry = entries[at]!;
    if (entry.index !== index || entry.incarnation !== incarnation) break;
    if (entry.stored !== stored || entry.key !== null) break;
    room -= blocksForMessage(layout, bytesOf(entry));
    if (room < 0) break;
    left -= entry.length;
  }
  return Math.max(1, at - from);
}

const bytesOf = ({ length, eventId, eventType, marks = null }: Entry): number =>
  length + (marks === null ? 0 : behindOf(marks)) + (eventId?.length ?? 0) + (eventType?.length ?? 0);

function settleRun(
  arena: Arena,
  policy: StorePolicy,
  entries: readonly Entry[],
  from: number,
  run: number,
  nowMs: number,
): void {
  const { u32, layout } = arena;
  const { index, incarnation, stored } = entries[from]!;
  const record = channelWord(layout, index);
  const nowSec = Math.floor(nowMs / 1000);
  const expires = expiry(stored ? policy.messageTtlSec : policy.unstoredTtlSec, nowSec);
  const first = wide(u32, record + CH_LAST_ID) + 1;
  for (let nth = 0, before = 0; nth < run; nth++) {
    const entry = entries[from + nth]!;
    const block = fillEntry(arena, entry, first + nth, nowSec, expires, nth);
    if (nth === 0) planMessage(arena, block, index, incarnation);
    else planFurther(arena, before, block);
    before = block;
  }
  putIn(arena, policy, record, stored, nowSec);
  for (let nth = 0; nth < run; nth++) settleAs(arena, entries[from + nth]!, first + nth);
}

function fillEntry(arena: Arena, entry: Entry, id: number, nowSec: number, expires: number, nth: number) {
  const { whole, start, length, eventId, eventType, stored, marks = null } = entry;
  const { u32, layout } = arena;
  const blocks = blocksForMessage(layout, bytesOf(entry));
  const flags = (stored ? FLAG_STORED : 0) | (marks === null ? 0 : flagsOf(marks));
  tickClock(u32, nowSec);
  const { [HEAD_CLOCK_SEC]: sec } = u32;
  const { [HEAD_CLOCK_TAG]: tag } = u32;
  return fillMessage(
    arena,
    blocks,
    id,
    sec!,
    tag!,
    expires,
    flags,
    whole,
    eventId,
    eventType,
    marks,
    nth,
    start,
    length,
  );
}

function settle(arena: Arena, policy: StorePolicy, entry: Entry, nowMs: number): void {
  const { index, incarnation, whole, start, length, eventId, eventType, stored, key } = entry;
  if (key !== null) {
    const known = findKey(arena, key, Math.floor(nowMs / 1000), policy.keyWindowSec);
    if (known !== KEY_UNKNOWN) {
      settleKnown(entry, known);
      return;
    }
  }
  const id = appendMessage(
    arena,
    policy,
    index,
    incarnation,
    length === whole.length ? whole : whole.subarray(start, start + length),
    eventId,
    eventType,
    stored,
    nowMs,
    true,
    key,
    entry.marks ?? null,
  );
  settleAs(arena, entry, id);
}

function settleKnown(entry: Entry, known: number): void {
  if (known === KEY_REUSED) {
    entry.outcome = KEY_REUSED;
    return;
  }
  entry.outcome = 1;
  entry.position = known;
  entry.isDuplicate = true;
}

export function settleAs({ u32, layout }: Arena, entry: Entry, id: number): void {
  entry.outcome = id;
  if (id > 0) entry.position = wide(u32, channelWord(layout, entry.index) + CH_BASE) + id;
}
