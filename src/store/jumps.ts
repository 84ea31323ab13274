/**
 * Jumps of a clustered channel: ranges of positions that are nobody's, because a counter began anew above
 * them (layout-cluster.ts). Written under the lock by replica.ts and lost-tail.ts; read without it by whoever
 * finds a hole between two messages, or comes back with a position. A read that meets a change in the middle
 * may see one jump too few, and a gap is told once too often.
 */
import { type Arena, channelWord, setWide, wide } from "./memory/arena.ts";
import { CX_FLOOR, CX_JUMP_COUNT, CX_JUMPS, JUMP_WORDS, MOST_JUMPS } from "./memory/layout-cluster.ts";

/** Of messages that were missed and cannot be counted. */
export const UNCOUNTED = Number.POSITIVE_INFINITY;

/**
 * Notes that positions above `from`, up to `to`, are nobody's. The oldest jump is forgotten for it, with what
 * came before.
 */
export function pushJump(arena: Arena, record: number, from: number, to: number): void {
  const { u32, layout } = arena;
  const more = record + layout.clusterWord;
  let count = u32[more + CX_JUMP_COUNT]!;
  const newest = more + CX_JUMPS + (count - 1) * JUMP_WORDS;
  // Begun by somebody who died of it, or met by another at once.
  if (count > 0 && wide(u32, newest + 2) === to) return;
  if (count === MOST_JUMPS) {
    raiseFloor(arena, record, wide(u32, more + CX_JUMPS + 2));
    u32.copyWithin(more + CX_JUMPS, more + CX_JUMPS + JUMP_WORDS, more + CX_JUMPS + MOST_JUMPS * JUMP_WORDS);
    u32[more + CX_JUMP_COUNT] = --count;
  }
  const at = more + CX_JUMPS + count * JUMP_WORDS;
  setWide(u32, at, from);
  setWide(u32, at + 2, to);
  Atomics.store(u32, more + CX_JUMP_COUNT, count + 1);
}

/** A position below it says nothing from here on. It never falls: what was uncertain once stays so. */
export function raiseFloor({ u32, layout }: Arena, record: number, floor: number): void {
  const word = record + layout.clusterWord + CX_FLOOR;
  if (floor > wide(u32, word)) setWide(u32, word, floor);
}

/**
 * Messages between two positions, the first exclusive: 0 where nothing but jumps lies there, UNCOUNTED where
 * that is not known.
 */
export function missedBetween({ u32, layout }: Arena, index: number, after: number, upTo: number): number {
  if (upTo <= after) return 0;
  const more = channelWord(layout, index) + layout.clusterWord;
  const floor = wide(u32, more + CX_FLOOR);
  // Nothing was there when it began to stand there.
  if (after === 0) return Math.max(0, upTo - floor - jumped(u32, more, floor, upTo));
  if (after < floor) return UNCOUNTED;
  const inside = jumpAround(u32, more, after);
  return inside > 0 ? UNCOUNTED : upTo - after - jumped(u32, more, after, upTo);
}

/**
 * Where to go on after a position: behind the jump it lies in; `isUnknown`: what was missed cannot be known.
 */
export function placeAfter(
  { u32, layout }: Arena,
  index: number,
  position: number,
): { readonly afterId: number; readonly isUnknown: boolean } {
  const more = channelWord(layout, index) + layout.clusterWord;
  const floor = wide(u32, more + CX_FLOOR);
  if (position < floor) return { afterId: floor, isUnknown: true };
  const inside = jumpAround(u32, more, position);
  return inside > 0 ? { afterId: inside, isUnknown: true } : { afterId: position, isUnknown: false };
}

/** The end of the jump in which a position lies, 0 = in none. */
function jumpAround(u32: Uint32Array, more: number, position: number): number {
  const count = Atomics.load(u32, more + CX_JUMP_COUNT);
  for (let i = 0; i < count; i++) {
    const at = more + CX_JUMPS + i * JUMP_WORDS;
    const to = wide(u32, at + 2);
    if (position > wide(u32, at) && position < to) return to;
  }
  return 0;
}

/** How many positions between the two are nobody's. */
function jumped(u32: Uint32Array, more: number, after: number, upTo: number): number {
  const count = Atomics.load(u32, more + CX_JUMP_COUNT);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const at = more + CX_JUMPS + i * JUMP_WORDS;
    sum += Math.max(0, Math.min(upTo, wide(u32, at + 2)) - Math.max(after, wide(u32, at)));
  }
  return sum;
}
