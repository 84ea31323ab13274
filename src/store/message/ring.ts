/**
 * The dispatch ring: one entry for each publish and each deletion, in order. Written by append and
 * deleteChannel under the lock, read by every worker's pump without it.
 *
 *   serial …   h-4   h-3   h-2   h-1  | h = head, next to be written (the oldest may be half so)
 *            readable ───────────────▶|
 *
 * Serials are the low words of zone-wide serials and wrap; compare them by difference only. The size is a
 * power of two so that the place in the ring survives the wrap.
 */
import { type Arena, growWide, readFence, wide } from "../memory/arena.ts";
import { RING_BLOCK, RING_CHANNEL, RING_INCARNATION, RING_SERIAL, RING_WORDS } from "../memory/layout.ts";
import { HEAD_RING_HEAD } from "../memory/layout-header.ts";

/**
 * One publish, as the pump sees it before it decides to read the message: `store.history.read(block, stamp,
 * …)`.
 */
export class RingEntry {
  serial = 0;
  channel = 0;
  incarnation = 0;
  block = 0;
  stamp = 0;
}

/** A message's stamp is the low word of its serial, which must not be 0: that means "free". */
export const stampOf = (serialLow: number): number => serialLow || 0x80000000;

/** The next serial to be written; what is below it can be read. Pairs with publishEntry. */
export const ringHead = (arena: Arena): number => Atomics.load(arena.u32, HEAD_RING_HEAD);

/** Copies the entry out; false when the ring went round meanwhile, or when the serial is not written yet. */
export function readEntry(arena: Arena, serial: number, out: RingEntry): boolean {
  const { u32, layout } = arena;
  const at = layout.ringWord + (serial & (layout.ringSize - 1)) * RING_WORDS;
  // Pairs with the store in publishEntry: an entry below the head is complete.
  const behind = (Atomics.load(u32, HEAD_RING_HEAD) - serial) >>> 0;
  if (behind === 0 || behind >= layout.ringSize) return false;
  out.serial = serial;
  out.stamp = stampOf(serial);
  out.channel = u32[at + RING_CHANNEL]!;
  out.block = u32[at + RING_BLOCK]!;
  out.incarnation = u32[at + RING_INCARNATION]!;
  readFence();
  // The writer overwrites this entry only after it stored the head serial + ringSize; so a torn copy is seen
  // here.
  return (Atomics.load(u32, HEAD_RING_HEAD) - serial) >>> 0 < layout.ringSize;
}

/** The serial the next publish gets, as a full number. Under the lock. */
export const nextSerial = (arena: Arena): number => wide(arena.u32, HEAD_RING_HEAD);

/**
 * Makes a publish visible to all: fills the entry, then moves the head. The last step of a publish, under the
 * lock.
 */
export function publishEntry(
  arena: Arena,
  serial: number,
  channel: number,
  block: number,
  incarnation: number,
): void {
  const { u32, layout } = arena;
  const low = serial >>> 0;
  const at = layout.ringWord + (low & (layout.ringSize - 1)) * RING_WORDS;
  u32[at + RING_SERIAL] = low;
  u32[at + RING_CHANNEL] = channel;
  u32[at + RING_BLOCK] = block;
  u32[at + RING_INCARNATION] = incarnation;
  // Pairs with ringHead, readEntry and beginSleep: whoever sees this head sees the entry and the message.
  if (low === 0xffffffff) growWide(arena, HEAD_RING_HEAD, serial + 1);
  else Atomics.store(u32, HEAD_RING_HEAD, low + 1);
}
