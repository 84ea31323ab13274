/**
 * Several messages under one hold of the lock, each with the answer of its own, and messages with an
 * idempotency key. Called through Store.appendAll by publish/; what has neither a key nor company goes the
 * shorter way (publish.ts).
 */
import type { Marks } from "../../message.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, wide } from "../memory/arena.ts";
import { CH_BASE } from "../memory/layout-channel.ts";
import { BUSY } from "../outcome.ts";
import type { StorePolicy } from "../policy.ts";
import { findKey, KEY_REUSED, KEY_UNKNOWN, type KeyMark } from "./keys.ts";
import { appendMessage } from "./publish.ts";
import { nextSerial } from "./ring.ts";

/** Nothing has been tried yet. */
export const UNSETTLED = -9;
/** The channel is gone: open it again. */
export const GONE = 0;

export interface Entry {
  readonly index: number;
  readonly incarnation: number;
  readonly data: Uint8Array;
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

/** The others wait meanwhile: some 0.1 ms. */
const MOST_ENTRIES = 64;
const MOST_BYTES = 256 * 1024;

/** For whoever mends (append-mended.ts): what stood at the ring's head before the entry at hand. */
let serialBefore = 0;
export const serialBeforeEntry = (): number => serialBefore;

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
  serialBefore = nextSerial(arena);
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  const end = Math.min(entries.length, from + MOST_ENTRIES);
  let at = from;
  for (let bytes = 0; at < end && bytes < MOST_BYTES; at++) {
    const entry = entries[at]!;
    serialBefore = nextSerial(arena);
    settle(arena, policy, entry, nowMs);
    if (entry.outcome === GONE) break;
    bytes += entry.data.length;
  }
  release(arena);
  return at - from;
}

function settle(arena: Arena, policy: StorePolicy, entry: Entry, nowMs: number): void {
  const { index, incarnation, data, eventId, eventType, stored, key } = entry;
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
    data,
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
