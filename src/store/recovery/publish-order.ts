/** The order in which messages were published, told from their headers. Used by recover.ts. */
import { beat } from "../lock/lock.ts";
import { type Arena, blockWord, wide } from "../memory/arena.ts";
import { MSG_SERIAL } from "../memory/layout-message.ts";

export const serialOf = ({ u32, layout }: Arena, block: number): number =>
  wide(u32, blockWord(layout, block) + MSG_SERIAL);

/**
 * Sorts blocks by serial: sorts the serials alone, which is fast on a typed array, and finds each block's
 * place in them.
 */
export function inPublishOrder(arena: Arena, blocks: readonly number[]): Uint32Array {
  const serials = Float64Array.from(blocks, (block) => serialOf(arena, block)).sort();
  const ordered = new Uint32Array(blocks.length);
  beat(arena);
  for (const block of blocks) {
    beat(arena);
    // A counter that was damaged has given some serials twice: those stand side by side.
    let place = placeOf(serials, serialOf(arena, block));
    while (ordered[place] !== 0) place++;
    ordered[place] = block;
  }
  return ordered;
}

function placeOf(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
