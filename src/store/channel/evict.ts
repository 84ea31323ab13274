/**
 * Making room: which messages go when no block is free. A full store refuses nobody; it forgets what matters
 * least, counts it, and whoever asks for a forgotten position is told of the gap. Called by append and open,
 * under the lock.
 */

import { beat } from "../lock/lock.ts";
import { type Arena, blockWord, growWide, wide } from "../memory/arena.ts";
import {
  AGE_OLDEST,
  HEAD_EVICTED,
  HEAD_FREE_BLOCKS,
  HEAD_INTERNAL,
  HEAD_NAME_BLOCKS,
  HEAD_RING_HEAD,
  HEAD_STORED,
  HEAD_TRANSIENT,
} from "../memory/layout-header.ts";
import { MSG_EXPIRES, MSG_SERIAL } from "../memory/layout-message.ts";
import { dropMessage } from "../message/unlinking.ts";
import { DamageError } from "../recovery/damage.ts";
import { largestLag } from "../slots.ts";

/**
 * Sees to it that `blocks` blocks are free; false, and nothing dropped, when not even an empty store had
 * them.
 */
export function makeRoom(arena: Arena, blocks: number, nowSec: number): boolean {
  const { u32, layout } = arena;
  if (u32[HEAD_FREE_BLOCKS]! >= blocks) return true;
  if (blocks > layout.blocks - u32[HEAD_NAME_BLOCKS]!) return false;
  // Asked for once, and only when there is an unstored message to judge by it.
  const lag = u32[HEAD_TRANSIENT + AGE_OLDEST] === 0 ? 0 : largestLag(arena);
  for (let left = layout.blocks; u32[HEAD_FREE_BLOCKS]! < blocks; left--) {
    if (left === 0) throw new DamageError("dropping every message frees too few blocks");
    // A message of gigabytes drives out millions.
    beat(arena);
    if (!evictOne(arena, lag, nowSec)) return false;
  }
  return true;
}

/** Made once: an append makes nothing. */
const AGE_LISTS = [HEAD_STORED, HEAD_TRANSIENT] as const;

/**
 * Drops at most `limit` messages from the front of both age lists whose time has come; how many. Append calls
 * it with a small limit, so that expiry keeps pace with any publish rate and the sweep finds little to do.
 */
export function dropExpired(arena: Arena, limit: number, nowSec: number): number {
  let dropped = 0;
  for (const list of AGE_LISTS) {
    let block = arena.u32[list + AGE_OLDEST]!;
    while (dropped < limit && block !== 0 && isExpired(arena, block, nowSec)) {
      dropMessage(arena, block, nowSec);
      dropped++;
      block = arena.u32[list + AGE_OLDEST]!;
    }
  }
  return dropped;
}

/** Expired when `expires <= now` (push-stream spec 6.2). */
export const isExpired = (arena: Arena, block: number, nowSec: number): boolean =>
  arena.u32[blockWord(arena.layout, block) + MSG_EXPIRES]! <= nowSec;

/**
 * In this order: expired ones, unstored ones that every worker has dispatched, the oldest stored one, the
 * oldest unstored one, the oldest of an internal channel, which has a bound of its own. The last three are
 * lost to somebody and are counted.
 */
function evictOne(arena: Arena, lag: number, nowSec: number): boolean {
  const { u32 } = arena;
  const stored = u32[HEAD_STORED + AGE_OLDEST]!;
  const unstored = u32[HEAD_TRANSIENT + AGE_OLDEST]!;
  if (stored !== 0 && isExpired(arena, stored, nowSec)) {
    dropMessage(arena, stored, nowSec);
  } else if (unstored !== 0 && (isExpired(arena, unstored, nowSec) || isPassed(arena, unstored, lag))) {
    dropMessage(arena, unstored, nowSec);
  } else {
    const victim = stored || unstored || u32[HEAD_INTERNAL + AGE_OLDEST]!;
    if (victim === 0) return false;
    dropMessage(arena, victim, nowSec);
    growWide(arena, HEAD_EVICTED, wide(u32, HEAD_EVICTED) + 1);
  }
  return true;
}

/** True when the slowest worker's cursor, `lag` entries behind the head, is beyond this message. */
function isPassed(arena: Arena, block: number, lag: number): boolean {
  const serial = arena.u32[blockWord(arena.layout, block) + MSG_SERIAL]!;
  return (arena.u32[HEAD_RING_HEAD]! - serial) >>> 0 > lag;
}
