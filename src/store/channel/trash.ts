/**
 * How many messages were dropped in the last ten seconds: `messages_in_trash` (push-stream spec 0.4, 6.3).
 * Only the number lives on; the blocks are free at once. A bucket a second, because a queue of dropped
 * messages would cost what it saves. Written under the lock by append (unstored messages) and by every drop
 * of a stored one.
 */
import type { Arena } from "../memory/arena.ts";
import { HEAD_TRASH, TRASH_BUCKETS } from "../memory/layout-header.ts";

/** How long messages and channels count as trash (push-stream spec 6.3). */
export const TRASH_SEC = 10;

export function countTrash(arena: Arena, nowSec: number, count = 1): void {
  const { u32 } = arena;
  const at = HEAD_TRASH + 2 * (nowSec % TRASH_BUCKETS);
  if (u32[at] !== nowSec) {
    u32[at] = nowSec;
    u32[at + 1] = 0;
  }
  u32[at + 1] = u32[at + 1]! + count;
}

export function messagesInTrash(arena: Arena, nowSec: number): number {
  const { u32 } = arena;
  let sum = 0;
  for (let bucket = 0; bucket < TRASH_BUCKETS; bucket++) {
    const age = nowSec - u32[HEAD_TRASH + 2 * bucket]!;
    if (age >= 0 && age <= TRASH_SEC) sum += u32[HEAD_TRASH + 2 * bucket + 1]!;
  }
  return sum;
}
