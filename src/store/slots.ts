/**
 * Worker slots: who works on this store, how far each has dispatched, whether it sleeps, and its counters. A
 * slot's words are written by its worker only, except SLOT_PID (claimed by CAS, given back by main after a
 * death) and SLOT_AWAKE.
 */

import type { Counter } from "./counters.ts";
import { endLease } from "./lock/lease.ts";
import { type Arena, channelWord, slotWord } from "./memory/arena.ts";
import {
  SLOT_AWAKE,
  SLOT_COUNTER_LIMIT,
  SLOT_COUNTERS,
  SLOT_CURSOR,
  SLOT_OWED,
  SLOT_PID,
  SLOT_STARTED_SEC,
  SLOT_WORDS,
} from "./memory/layout.ts";
import { CH_SUBSCRIBERS } from "./memory/layout-channel.ts";
import { HEAD_REPLACED, HEAD_RING_HEAD } from "./memory/layout-header.ts";
import { WH_TELLS, WH_TOLD } from "./memory/layout-webhooks.ts";
import { endSending } from "./webhook/webhook-table.ts";

const ASLEEP = 0;
const AWAKE = 1;

/** Nobody stands in the worker. */
export const OWED_NOTHING = 0;
/** Subscribers who are owed what the worker has not dispatched yet. */
export const OWED_LIVE = 1;
/** Some of them lag: they are owed what they have not read, wherever the worker is. */
export const OWED_BEHIND = 2;

export function claimSlot(arena: Arena, pid: number, nowSec: number): number {
  const { u32, layout } = arena;
  for (let slot = 0; slot < layout.workerSlots; slot++) {
    const at = slotWord(layout, slot);
    // Two workers starting together: one wins. Pairs with the store of 0 in releaseSlot, after which all
    // counts are 0.
    if (Atomics.compareExchange(u32, at + SLOT_PID, 0, pid) !== 0) continue;
    resetCounters(arena, slot);
    u32[at + SLOT_STARTED_SEC] = nowSec;
    Atomics.store(u32, at + SLOT_CURSOR, Atomics.load(u32, HEAD_RING_HEAD));
    Atomics.store(u32, at + SLOT_AWAKE, AWAKE);
    Atomics.store(u32, at + SLOT_OWED, OWED_LIVE);
    return slot;
  }
  return -1;
}

/** Of a worker whose subscribers have been forgotten in every channel. */
export function releaseSlot(arena: Arena, slot: number): void {
  const at = slotWord(arena.layout, slot);
  if (Atomics.load(arena.u32, at + SLOT_PID) === 0) return;
  resetCounters(arena, slot);
  if (arena.layout.clusterWord !== 0) endLease(arena, slot);
  endSending(arena, slot);
  // Last: a slot without a pid is clean. Pairs with claimSlot.
  Atomics.store(arena.u32, at + SLOT_PID, 0);
}

/** By main alone, so no other write can come between. */
export function countReplaced({ u32 }: Arena): void {
  u32[HEAD_REPLACED] = (u32[HEAD_REPLACED]! + 1) >>> 0;
}

/**
 * Counts of the slot's subscribers to 0, in the channels `from` to `to`: they were this worker's connections,
 * which went with it.
 */
export function forgetSubscribers(arena: Arena, slot: number, from: number, to: number): void {
  const { u32, layout } = arena;
  for (let index = from; index < to; index++) {
    u32[channelWord(layout, index) + CH_SUBSCRIBERS + slot] = 0;
  }
}

function resetCounters(arena: Arena, slot: number): void {
  const { f64, layout } = arena;
  const first = (slotWord(layout, slot) + SLOT_COUNTERS) / 2;
  f64.fill(0, first, first + SLOT_COUNTER_LIMIT);
}

export function slotOf(arena: Arena, pid: number): number {
  for (let slot = 0; slot < arena.layout.workerSlots; slot++) {
    if (slotPid(arena, slot) === pid) return slot;
  }
  return -1;
}

export const slotPid = (arena: Arena, slot: number): number =>
  Atomics.load(arena.u32, slotWord(arena.layout, slot) + SLOT_PID);

export const slotStartedSec = (arena: Arena, slot: number): number =>
  arena.u32[slotWord(arena.layout, slot) + SLOT_STARTED_SEC]!;

/** Read by eviction in other processes, which prefers unstored messages that all workers have passed. */
export function setCursor(arena: Arena, slot: number, serial: number): void {
  Atomics.store(arena.u32, slotWord(arena.layout, slot) + SLOT_CURSOR, serial >>> 0);
}

/** How far behind the head publishes were told to webhooks; 0 when nobody wants to know of them. */
function untold({ u32, layout }: Arena): number {
  if (u32[layout.webhooksWord + WH_TELLS] === 0) return 0;
  return (u32[HEAD_RING_HEAD]! - u32[layout.webhooksWord + WH_TOLD]!) >>> 0;
}

/**
 * How far the slowest live worker is behind the head, or the teller of webhooks, in entries; 0 when there is
 * none.
 */
export function largestLag(arena: Arena): number {
  const { u32, layout } = arena;
  const head = u32[HEAD_RING_HEAD]!;
  let largest = untold(arena);
  for (let at = layout.slotsWord; at < layout.ringWord; at += SLOT_WORDS) {
    if (u32[at + SLOT_PID] === 0 || Atomics.load(u32, at + SLOT_OWED) === OWED_NOTHING) continue;
    // Pairs with setCursor: a message below the cursor has been read.
    const lag = (head - Atomics.load(u32, at + SLOT_CURSOR)) >>> 0;
    if (lag > largest) largest = lag;
  }
  return largest;
}

export function setOwed(arena: Arena, slot: number, owed: number): void {
  Atomics.store(arena.u32, slotWord(arena.layout, slot) + SLOT_OWED, owed);
}

/**
 * How many entries behind the head a message may stand that somebody who is connected still wants: the next
 * one to be put in stands 0 behind it. Those further behind are owed to nobody.
 */
export function owedAge(arena: Arena): number {
  const { u32, layout } = arena;
  let oldest = untold(arena);
  for (let at = layout.slotsWord; at < layout.ringWord; at += SLOT_WORDS) {
    if (u32[at + SLOT_PID] === 0) continue;
    const owed = Atomics.load(u32, at + SLOT_OWED);
    if (owed === OWED_NOTHING) continue;
    if (owed === OWED_BEHIND) return Number.POSITIVE_INFINITY;
    // Pairs with setCursor: a message below the cursor has been read.
    const lag = (u32[HEAD_RING_HEAD]! - Atomics.load(u32, at + SLOT_CURSOR)) >>> 0;
    if (lag > oldest) oldest = lag;
  }
  return oldest;
}

/**
 * The sleeper's half of the doorbell: say "asleep", then look at the head once more. The publisher stores the
 * head, then looks who sleeps (ringOthers). Both are sequentially consistent, so at least one sees the other:
 * no publish is slept through.
 */
export function beginSleep(arena: Arena, slot: number, cursor: number): boolean {
  const at = slotWord(arena.layout, slot) + SLOT_AWAKE;
  Atomics.store(arena.u32, at, ASLEEP);
  if (Atomics.load(arena.u32, HEAD_RING_HEAD) === cursor >>> 0) return true;
  Atomics.store(arena.u32, at, AWAKE);
  return false;
}

/** The publisher's half: whoever turns 0 into 1 rings, so a sleeper is rung once. */
export function ringOthers(arena: Arena, self: number, ring: (slot: number) => void): void {
  const { u32, layout } = arena;
  for (let slot = 0; slot < layout.workerSlots; slot++) {
    const at = layout.slotsWord + slot * SLOT_WORDS;
    if (slot === self || u32[at + SLOT_PID] === 0) continue;
    // A load first: workers are mostly awake, and a load leaves the cache line where it is. Pairs with
    // beginSleep.
    if (Atomics.load(u32, at + SLOT_AWAKE) !== ASLEEP) continue;
    if (Atomics.compareExchange(u32, at + SLOT_AWAKE, ASLEEP, AWAKE) === ASLEEP) ring(slot);
  }
}

const counterAt = (arena: Arena, slot: number, counter: Counter): number =>
  (slotWord(arena.layout, slot) + SLOT_COUNTERS) / 2 + counter;

export function addCounter(arena: Arena, slot: number, counter: Counter, delta: number): void {
  const at = counterAt(arena, slot, counter);
  arena.f64[at] = arena.f64[at]! + delta;
}

export const readCounter = (arena: Arena, slot: number, counter: Counter): number =>
  arena.f64[counterAt(arena, slot, counter)]!;

export function writeCounter(arena: Arena, slot: number, counter: Counter, value: number): void {
  arena.f64[counterAt(arena, slot, counter)] = value;
}
