/**
 * From names to channel records: open addressing with linear probing, at most half full. Inserts and removals
 * run under the lock, look-ups without it.
 *
 * Removal shifts later entries back instead of leaving tombstones, so that the table never needs a rehash. A
 * reader that runs meanwhile could miss a living name, as its entry moves past the reader; therefore
 * HEAD_HASH_VERSION is odd during a removal and even, but different, afterwards. A reader - that finds an
 * entry has compared the name and checked that its channel lives: the answer was right at that moment,
 *    wherever the entry stood;
 * - that finds nothing answers only if the version was even and the same before and after. No entry moved
 * between, so an
 *    entry that stood in the table all the time was in the probed run: inserts only fill empty places and
 *      never make a run
 *    shorter. After a few tries it takes the lock, and where that is taken for long (somebody died or stands
 *      still in the
 *    middle of a removal, or the table is made anew) it does not know.
 */

import type { ChannelRef } from "../channel/channel-ref.ts";
import { incarnationNamed } from "../channel/names.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { BUSY } from "../outcome.ts";
import { DamageError } from "../recovery/damage.ts";
import { type Arena, channelWord, readFence, writeFence } from "./arena.ts";
import { CH_NAME_HASH } from "./layout-channel.ts";
import { HEAD_HASH_VERSION } from "./layout-header.ts";

const TRIES = 4;

/**
 * The living channel with this name, as one pair that was true at one moment; its index, -1 when there is
 * none, BUSY (-3) when that is not to be known now. Takes the lock only when removals keep interfering.
 */
export function lookUp(arena: Arena, name: Uint8Array, hash: number, into: ChannelRef): number {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // Pairs with the two stores in removeEntry.
    const version = Atomics.load(arena.u32, HEAD_HASH_VERSION);
    const index = probe(arena, name, hash, into);
    if (index >= 0) return index;
    readFence();
    if ((version & 1) === 0 && Atomics.load(arena.u32, HEAD_HASH_VERSION) === version) return -1;
  }
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  const index = probe(arena, name, hash, into);
  release(arena);
  return index;
}

/**
 * One pass over the run of entries that the name belongs to; -1 = not met. Final under the lock, a hint
 * without it.
 */
export function probe(arena: Arena, name: Uint8Array, hash: number, into: ChannelRef): number {
  into.set(-1, 0);
  const { u32, layout } = arena;
  const mask = layout.hashSize - 1;
  let place = hash & mask;
  for (let steps = 0; steps <= mask; steps++) {
    // Pairs with insertEntry: an index seen here has its record written.
    const entry = Atomics.load(u32, layout.hashWord + place);
    if (entry === 0) return -1;
    const incarnation = entry <= layout.channels ? incarnationNamed(arena, entry - 1, name, hash) : 0;
    if (incarnation !== 0) {
      into.set(entry - 1, incarnation);
      return entry - 1;
    }
    place = (place + 1) & mask;
  }
  return -1;
}

/** Enters a living channel whose name is not in the table; twice does no harm. Under the lock. */
export function insertEntry(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  const mask = layout.hashSize - 1;
  let place = u32[channelWord(layout, index) + CH_NAME_HASH]! & mask;
  for (let left = mask; u32[layout.hashWord + place] !== 0; left--) {
    if (u32[layout.hashWord + place] === index + 1) return;
    if (left === 0) throw new DamageError("the hash table has no empty place");
    place = (place + 1) & mask;
  }
  // Pairs with the load in probe.
  Atomics.store(u32, layout.hashWord + place, index + 1);
}

/**
 * Takes a channel out. Under the lock; the name must still be in its record. Goes on with a removal of it
 * that was cut off: at every moment of one, each other entry stands in the run once, or twice where it is on
 * its way; then the later place is the gap.
 */
export function removeEntry(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  const mask = layout.hashSize - 1;
  const version = u32[HEAD_HASH_VERSION]!;
  const isCutOff = (version & 1) === 1;
  let gap = gapOf(arena, index, isCutOff);
  if (gap < 0 && !isCutOff) return;
  Atomics.store(u32, HEAD_HASH_VERSION, (version | 1) >>> 0);
  writeFence();
  for (let place = (gap + 1) & mask, left = mask; gap >= 0; place = (place + 1) & mask, left--) {
    const entry = u32[layout.hashWord + place]!;
    if (entry === 0) break;
    if (left === 0) throw new DamageError("the hash table has no empty place");
    const home = u32[channelWord(layout, entry - 1) + CH_NAME_HASH]! & mask;
    // The entry may move into the gap unless its home lies behind the gap.
    if (((place - home) & mask) >= ((place - gap) & mask)) {
      // A step is behind the one before it: whoever finds this cut off counts on that.
      Atomics.store(u32, layout.hashWord + gap, entry);
      gap = place;
    }
  }
  if (gap >= 0) Atomics.store(u32, layout.hashWord + gap, 0);
  Atomics.store(u32, HEAD_HASH_VERSION, ((version | 1) + 1) >>> 0);
}

/**
 * Where the channel stands, or else, in a removal that was cut off, where the entry that moved last came
 * from; -1 = neither.
 */
function gapOf({ u32, layout }: Arena, index: number, isCutOff: boolean): number {
  const mask = layout.hashSize - 1;
  const seen = isCutOff ? new Set<number>() : null;
  let twice = -1;
  let place = u32[channelWord(layout, index) + CH_NAME_HASH]! & mask;
  for (let left = mask; ; place = (place + 1) & mask, left--) {
    const entry = u32[layout.hashWord + place]!;
    if (entry === index + 1) return place;
    if (entry === 0 || left === 0) return twice;
    if (seen?.has(entry) === true) twice = place;
    seen?.add(entry);
  }
}
