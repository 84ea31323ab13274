/**
 * Webhooks in the store: which worker sends, and how far each webhook was told. A fixed table
 * (layout-webhooks.ts), so it outlives every process and is in its place after a kill of all; positions are
 * ids of the internal channel `webhooks`. Called through Store.webhooks.
 *
 * The one that sends takes the lease and gives signs of life. Whoever finds none for STANDSTILL_MS takes it
 * over: two senders for a moment cost a batch that is sent twice, and what the former one writes afterwards
 * is not taken, because each write looks for the lease under the lock.
 */
import { createHash } from "node:crypto";
import { type Arena, setWide, wide } from "../memory/arena.ts";
import { HEAD_RING_HEAD } from "../memory/layout-header.ts";
import {
  DIGEST_WORDS,
  ENTRY_DIGEST,
  ENTRY_FAILED,
  ENTRY_FAILING_SEC,
  ENTRY_GAPS,
  ENTRY_POSITION,
  ENTRY_SENT_BATCHES,
  ENTRY_SENT_EVENTS,
  ENTRY_STATUS,
  ENTRY_TAKEN_SEC,
  ENTRY_WORDS,
  MOST_WEBHOOKS,
  WH_BEAT,
  WH_ENTRIES,
  WH_LEASE,
  WH_TELLS,
  WH_TOLD,
} from "../memory/layout-webhooks.ts";

/** Without a sign of life for so long, another worker sends. */
export const STANDSTILL_MS = 3000;

// --- who sends ---------------------------------------------------------------------------------------------

/** True: this slot has it, now or since before; it has given a sign of life. */
export function takeSending({ u32, layout }: Arena, slot: number, nowMs: number): boolean {
  const at = layout.webhooksWord + WH_LEASE;
  const beat = layout.webhooksWord + WH_BEAT;
  const owner = Atomics.load(u32, at);
  if (owner !== slot + 1) {
    const silentMs = ((nowMs >>> 0) - Atomics.load(u32, beat)) | 0;
    // A clock that was set back is no sign of life for longer than it is one of death.
    if (owner !== 0 && Math.abs(silentMs) < STANDSTILL_MS) return false;
    if (Atomics.compareExchange(u32, at, owner, slot + 1) !== owner) return false;
  }
  Atomics.store(u32, beat, nowMs >>> 0);
  return true;
}

export const isSending = ({ u32, layout }: Arena, slot: number): boolean =>
  Atomics.load(u32, layout.webhooksWord + WH_LEASE) === slot + 1;

export function endSending({ u32, layout }: Arena, slot: number): void {
  Atomics.compareExchange(u32, layout.webhooksWord + WH_LEASE, slot + 1, 0);
}

// --- how far -----------------------------------------------------------------------------------------------

/** What is known of a webhook. */
export interface HookState {
  readonly position: number;
  readonly sentEvents: number;
  readonly sentBatches: number;
  readonly failed: number;
  readonly gaps: number;
  /** Since when it fails; 0 = it does not. */
  readonly failingSec: number;
  /** Of its last answer; 0: it gave none. */
  readonly status: number;
  /** When it last took a batch; 0 = never. */
  readonly takenSec: number;
}

/** Forgets all but these. Under the lock. */
export function dropEntries(arena: Arena, names: readonly string[]): void {
  const digests = names.map(digestOf);
  for (let entry = 0; entry < MOST_WEBHOOKS; entry++) {
    const at = entryWord(arena, entry);
    if (!digests.some((digest) => isOf(arena, at, digest))) arena.u32.fill(0, at, at + ENTRY_WORDS);
  }
}

/**
 * Names that were not known begin at `lastId`. Those for which there is no room yet do so when others were
 * dropped. Under the lock.
 */
export function claimEntries(arena: Arena, names: readonly string[], lastId: number): void {
  const { u32 } = arena;
  for (const digest of names.map(digestOf)) {
    if (find(arena, digest) >= 0) continue;
    const at = findFree(arena);
    if (at < 0) return;
    setWide(u32, at + ENTRY_POSITION, lastId);
    digest.forEach((word, i) => {
      u32[at + ENTRY_DIGEST + i] = word;
    });
  }
}

/**
 * Everything up to this id is done with for every webhook there is, those of another configuration included.
 */
export function leastPosition(arena: Arena): number {
  let least = Number.POSITIVE_INFINITY;
  for (let entry = 0; entry < MOST_WEBHOOKS; entry++) {
    const at = entryWord(arena, entry);
    if (!isOf(arena, at, NONE)) least = Math.min(least, wide(arena.u32, at + ENTRY_POSITION));
  }
  return least;
}

/** null: nothing is known of it. */
export function hookState(arena: Arena, name: string): HookState | null {
  const at = find(arena, digestOf(name));
  if (at < 0) return null;
  const { u32 } = arena;
  return {
    position: wide(u32, at + ENTRY_POSITION),
    sentEvents: wide(u32, at + ENTRY_SENT_EVENTS),
    sentBatches: wide(u32, at + ENTRY_SENT_BATCHES),
    failed: wide(u32, at + ENTRY_FAILED),
    gaps: wide(u32, at + ENTRY_GAPS),
    failingSec: u32[at + ENTRY_FAILING_SEC]!,
    status: u32[at + ENTRY_STATUS]!,
    takenSec: u32[at + ENTRY_TAKEN_SEC]!,
  };
}

/** False: there is no such entry any more. Under the lock, by the one that sends. */
export function writeHookState(arena: Arena, name: string, state: HookState): boolean {
  const at = find(arena, digestOf(name));
  if (at < 0) return false;
  const { u32 } = arena;
  setWide(u32, at + ENTRY_POSITION, state.position);
  setWide(u32, at + ENTRY_SENT_EVENTS, state.sentEvents);
  setWide(u32, at + ENTRY_SENT_BATCHES, state.sentBatches);
  setWide(u32, at + ENTRY_FAILED, state.failed);
  setWide(u32, at + ENTRY_GAPS, state.gaps);
  u32[at + ENTRY_FAILING_SEC] = state.failingSec;
  u32[at + ENTRY_STATUS] = state.status;
  u32[at + ENTRY_TAKEN_SEC] = state.takenSec;
  return true;
}

// --- the ring ----------------------------------------------------------------------------------------------

/** Serial of the first entry of the ring that was not told. */
export const toldSerial = ({ u32, layout }: Arena): number => wide(u32, layout.webhooksWord + WH_TOLD);

/** Under the lock. */
export function setTold({ u32, layout }: Arena, serial: number): void {
  setWide(u32, layout.webhooksWord + WH_TOLD, serial);
}

/** Whether publishes and deletions are told; from now on, if they were not. Under the lock. */
export function setTells(arena: Arena, tells: boolean): void {
  const { u32, layout } = arena;
  const at = layout.webhooksWord + WH_TELLS;
  if (tells && u32[at] === 0) setTold(arena, wide(u32, HEAD_RING_HEAD));
  u32[at] = tells ? 1 : 0;
}

// --- entries -----------------------------------------------------------------------------------------------

type Digest = readonly number[];

const digests = new Map<string, Digest>();

/** Names are of the configuration: few. */
function digestOf(name: string): Digest {
  const known = digests.get(name);
  if (known !== undefined) return known;
  const bytes = createHash("sha256").update(name).digest();
  const digest = Array.from({ length: DIGEST_WORDS }, (_, i) => bytes.readUInt32LE(i * 4));
  digests.set(name, digest);
  return digest;
}

const entryWord = ({ layout }: Arena, entry: number): number =>
  layout.webhooksWord + WH_ENTRIES + entry * ENTRY_WORDS;

const isOf = ({ u32 }: Arena, at: number, digest: Digest): boolean =>
  digest.every((word, i) => u32[at + ENTRY_DIGEST + i] === word);

const NONE: Digest = Array.from({ length: DIGEST_WORDS }, () => 0);

function find(arena: Arena, digest: Digest): number {
  for (let entry = 0; entry < MOST_WEBHOOKS; entry++) {
    const at = entryWord(arena, entry);
    if (isOf(arena, at, digest)) return at;
  }
  return -1;
}

const findFree = (arena: Arena): number => find(arena, NONE);
