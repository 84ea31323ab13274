/**
 * Links that lead where none can lead, while the store is in use: a bit that changed in memory, or a mistake
 * of ours. Every walk under the lock is bounded by what the file can hold and ends here instead of going on
 * for ever; what is thrown in a section leaves the lock taken and the lists half changed, as a death would,
 * so they are made anew from the messages (recover.ts) and the call is done again. Used by Store.
 */

import { lockOwner, REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, growWide, type Lockable, wide } from "../memory/arena.ts";
import { HEAD_MENDED } from "../memory/layout-header.ts";
import { nextSerial } from "../message/ring.ts";

/** Thrown under the lock only. */
export class DamageError extends Error {
  constructor(what: string) {
    super(`the store's memory is damaged: ${what}`);
  }
}

/**
 * Makes the lists anew after `error` ended a section of this process; throws it on when it ended none. The
 * crash tests die for good. How much was published since `before` (nextSerial), by the section or by this
 * repair, which finishes what was complete.
 */
export function mendAfter(arena: Arena, error: unknown, before: number): number {
  if (arena.fault !== null || lockOwner(arena) !== process.pid) throw error;
  mendWhole(arena);
  const published = nextSerial(arena) - before;
  release(arena);
  return published;
}

/**
 * A request's work under the lock, which may be done again from its beginning; `busy` when the lock could not
 * be had.
 */
export function underLock<Result, Busy>(arena: Arena, busy: Busy, work: () => Result): Result | Busy {
  return mending(arena, () => {
    if (!tryAcquire(arena, REQUEST_MS)) return busy;
    const outcome = work();
    release(arena);
    return outcome;
  });
}

/** For what takes the lock itself and may be done again from its beginning. */
export function mending<Result>(arena: Arena, work: () => Result): Result {
  const before = nextSerial(arena);
  try {
    return work();
  } catch (error) {
    mendAfter(arena, error, before);
    return work();
  }
}

/** What a death left: nearly always no more than the journal says. */
export function mend(arena: Lockable): void {
  if (!arena.mending.redo(arena)) mendWhole(arena);
}

/** Counted. Under the lock. */
export function mendWhole(arena: Lockable): void {
  arena.mending.rebuild(arena);
  growWide(arena, HEAD_MENDED, wide(arena.u32, HEAD_MENDED) + 1);
}

/** How often that was needed in this life of the store. */
export const timesMended = ({ u32 }: Pick<Arena, "u32">): number => wide(u32, HEAD_MENDED);
