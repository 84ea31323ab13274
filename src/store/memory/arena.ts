/**
 * The mapped store file as the functions of store/ see it: typed views over the same bytes, plus where the
 * parts lie. A plain record that free functions take as first argument, so that each file of store/ can act
 * on shared memory without owning it.
 */

import type { Members } from "../members/members-file.ts";
import { type Layout, SLOT_WORDS } from "./layout.ts";

export interface Arena {
  readonly layout: Layout;
  /** Of the file; its inode is in the header (life.ts). */
  readonly path: string;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
  readonly mending: Mending;
  /** Test hook: called at named points of a change under the lock, to die there. null outside of tests. */
  fault: ((point: FaultPoint) => void) | null;
  /** Who is there (members.ts); null: nobody is counted. */
  members: Members | null;
  /** What the numbers of presence events begin at; another in each life of the members' file. */
  numberBase: number;
  /**
   * This process has published an event whose readers are still to be woken: once the lock is given back
   * (Store).
   */
  eventsDue: boolean;
}

/**
 * What mends the lists after an owner of the lock died. Here, because those who need it cannot import it
 * without a cycle.
 */
export interface Mending {
  /** In no time; false: it cannot be done so (redo.ts). */
  redo(arena: Arena): boolean;
  /** Whatever was left, in a time that grows with the store (recover.ts). */
  rebuild(arena: Arena): void;
}

/**
 * What has the store's lock, and can be mended after a death under it: the store, and a shared dictionary
 * (shared-layout.ts).
 */
export interface Lockable {
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly fault: Arena["fault"];
  readonly mending: { redo(arena: Lockable): boolean; rebuild(arena: Lockable): void };
}

/**
 * Points at which the crash tests kill or abandon a process that holds the lock, a change at a time, in
 * order.
 */
export const FAULT_POINTS = [
  "evict-unstamped",
  "append-room",
  "append-allocated",
  "append-written",
  "append-taken",
  "append-stamped",
  "append-linked",
  "append-counted",
  "append-published",
  "open-named",
  "open-stated",
  "open-live",
  "open-listed",
  "delete-stamped",
  "retire-stated",
  "delete-retired",
  "collect-retired",
] as const;

/**
 * The same inside of a counter that crosses a multiple of 2^32, which the others get to when a test puts one
 * there.
 */
export const CROSSING_POINTS = ["crossing-begun", "crossing-counted"] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number] | (typeof CROSSING_POINTS)[number];

/** Views over a mapping. The mapping must begin on a page and be at least `layout.size` long. */
export function arenaOver(
  bytes: Uint8Array<ArrayBuffer>,
  layout: Layout,
  path: string,
  mending: Mending,
): Arena {
  const { buffer, byteOffset } = bytes;
  return {
    layout,
    path,
    u32: new Uint32Array(buffer, byteOffset, Math.floor(layout.size / 4)),
    i32: new Int32Array(buffer, byteOffset, Math.floor(layout.size / 4)),
    u8: new Uint8Array(buffer, byteOffset, layout.size),
    f64: new Float64Array(buffer, byteOffset, Math.floor(layout.size / 8)),
    mending,
    fault: null,
    members: null,
    numberBase: 0,
    eventsDue: false,
  };
}

/** First word of a block. */
export const blockWord = (layout: Layout, block: number): number =>
  layout.blocksWord + block * layout.blockWords;

/** First word of a channel record. */
export const channelWord = (layout: Layout, index: number): number =>
  layout.channelsWord + index * layout.channelWords;

/** First word of a worker slot. */
export const slotWord = (layout: Layout, slot: number): number => {
  if (slot < 0 || slot >= layout.workerSlots) throw new RangeError(`worker slot ${slot} does not exist`);
  return layout.slotsWord + slot * SLOT_WORDS;
};

const TWO_32 = 4294967296;
/**
 * In the high word of a counter that is on its way over a multiple of 2^32. Counting to where it would belong
 * to a value takes for ever.
 */
const CROSSING = 0x80000000;

/**
 * A 64-bit number kept as two words, low first: written once (setWide) before its owner becomes visible, or a
 * counter (growWide). For the lock's owner; whoever has no lock reads counters with wideShared.
 */
export function wide(u32: Uint32Array, word: number): number {
  const high = u32[word + 1]!;
  const low = u32[word]!;
  return high < CROSSING ? high * TWO_32 + low : crossed(high, low);
}

/**
 * Before the low word has gone round it is large, afterwards small: so the value is known at every moment of
 * the crossing, also to whoever finds what a process left that died there.
 */
const crossed = (high: number, low: number): number =>
  (high - CROSSING - (low >= CROSSING ? 1 : 0)) * TWO_32 + low;

/**
 * For words that nobody reads yet: something visible later (a stamp, an incarnation) says that they are
 * written.
 */
export function setWide(u32: Uint32Array, word: number, value: number): void {
  u32[word + 1] = Math.floor(value / TWO_32);
  u32[word] = value >>> 0;
}

/** What counting needs of an arena. */
interface Counting extends Pick<Arena, "fault"> {
  readonly u32: Uint32Array;
}

/**
 * Moves a counter on that others read without the lock, and that may be the last thing its process does. By
 * less than 2^31 at a time. Nearly always one store; over a multiple of 2^32 the high word is marked first
 * and unmarked last.
 */
export function growWide(arena: Counting, word: number, value: number): void {
  const { u32 } = arena;
  const high = Math.floor(value / TWO_32);
  if (u32[word + 1] === high) {
    u32[word] = value >>> 0;
    return;
  }
  // In this order for all: pairs with the loads in wideShared.
  Atomics.store(u32, word + 1, (high | CROSSING) >>> 0);
  arena.fault?.("crossing-begun");
  Atomics.store(u32, word, value >>> 0);
  arena.fault?.("crossing-counted");
  Atomics.store(u32, word + 1, high);
}

/**
 * The same over any distance. Every value that is seen on the way lies between the two: first to the end of
 * the old high word's range, then over. Where they share it, one store.
 */
export function leapWide(arena: Counting, word: number, value: number): void {
  const { u32 } = arena;
  if (u32[word + 1] !== Math.floor(value / TWO_32)) Atomics.store(u32, word, TWO_32 - 1);
  growWide(arena, word, value);
}

/**
 * A counter without the lock. With the same high word before and after, marked or not, the low word belongs
 * to it: it changes twice in 2^32 steps, so this ends. Pairs with growWide.
 */
export function wideShared(u32: Uint32Array, word: number): number {
  for (;;) {
    const high = Atomics.load(u32, word + 1);
    const low = Atomics.load(u32, word);
    if (Atomics.load(u32, word + 1) === high) {
      return high < CROSSING ? high * TWO_32 + low : crossed(high, low);
    }
  }
}

// x86-64 never reorders a load with an earlier load or a store with an earlier store, and the engine does not
// move accesses across Atomics. Only elsewhere do plain accesses need the two fences; there a sequentially
// consistent store and load of a private word keep the accesses before and after apart.
const ORDERED = process.arch === "x64";
const fenceWord = new Int32Array(1);

/**
 * Everything read before is read before anything after: put between copying shared bytes and validating the
 * copy.
 */
export function readFence(): void {
  if (ORDERED) return;
  Atomics.store(fenceWord, 0, 0);
  Atomics.load(fenceWord, 0);
}

/**
 * Everything written before is visible before anything written after: put behind the store that invalidates.
 */
export function writeFence(): void {
  if (ORDERED) return;
  Atomics.store(fenceWord, 0, 0);
  Atomics.load(fenceWord, 0);
}
