/**
 * The one lock of the store, and that of each shared dictionary: a word that holds the owner's pid, so that
 * main can tell a dead owner from a slow one. Taken by every function that changes lists, for well under a
 * microsecond, except sweeps and recovery, which work in slices.
 *
 * Not a futex: Atomics.wait does not reach across processes here, so waiters spin, then nap. There is no
 * try/finally around locked sections: a section that threw left the lists half changed, and must be repaired,
 * not unlocked. As a process runs one section at a time, finding its own pid in the word means exactly that,
 * and it repairs at once.
 *
 * An owner may stand still (debugger, freezer, a page fault on a slow disk): nobody waits for it for long.
 *
 *   who needs the lock                      waits            and then
 *   timers, sweeps, main                    SWEEP_MS         come back at their next turn
 *   publishing and the rest of a request    REQUEST_MS       try again beside the event loop (patience.ts),
 *                                                            then 503
 *   whoever has the store for itself        ALONE_MS         throws: main at the opening, the invariants'
 *                                                            checker
 *
 * The wait is granted once per tenure (one taking of the lock), however many callers come: a thousand
 * publishes do not make the event loop stand still a thousand times for the same stalled owner. Reading takes
 * no lock and notices nothing.
 *
 * Who ends a stall, on paper:
 *   a worker     main's LockWatch sees that neither tenure nor beat moves. It kills the worker (SIGKILL ends
 *                stopped processes, too) and takes the lock over only when the kernel has told that the
 *                process is gone: a stopped one that is continued, or one that was merely slow, can therefore
 *                never write into lists that were repaired behind its back. A process in an uninterruptible
 *                wait does not die before that is over; until then the lock stays taken, and publishing is
 *                refused.
 *   main         takes the lock for slices of some 30 µs. Stopped in one of them, or stopped while a worker
 *                stalls, there is nobody to end it: nothing may be taken from a living process. Readers and
 *                open connections go on, publishing is refused with 503 until main goes on or the service
 *                manager's watchdog ends the service.
 *   the dead     a pid that is nobody's, or that of a process which does not map this file (a flipped bit, a
 *                pid used again): taken over.
 *   a stranger   a living process that maps this file and is no worker of ours (somebody's tool). Main says
 *                so in the log and kills nobody whom it did not start; publishing is refused until the
 *                stranger lets go.
 * What a death left takes microseconds to finish (redo.ts). Where all lists have to be made anew, that is
 * long, and no stall: it moves the beat, and a child of main does it (supervisor/store/store-mender.ts).
 * Nothing else that is done under the lock takes a second.
 */
import type { Lockable } from "../memory/arena.ts";
import { HEAD_LOCK, HEAD_LOCK_BEAT, HEAD_LOCK_TENURE } from "../memory/layout-header.ts";
import { mend } from "../recovery/damage.ts";
import { arm, REBUILD } from "./journal.ts";

const SPINS = 200;
const NAP_MS = 0.1;
/**
 * What is not urgent waits so long: more than an owner needs who is not interrupted, and no burden for the
 * connections of this process.
 */
export const SWEEP_MS = 1;
/** What a request may let its event loop wait. */
export const REQUEST_MS = 20;
const ALONE_MS = 5000;

/** Kept, because the property is a native getter. */
const OWN_PID = process.pid;

const napWord = new Int32Array(new SharedArrayBuffer(4));

/** How long this process has waited already for an owner whom it did not outwait. */
const spent: { words: Uint32Array | null; tenure: number; ms: number } = { words: null, tenure: 0, ms: 0 };

/**
 * Takes the lock if it can be had within `patienceMs` (0: a few spins, some microseconds); false: come back
 * later. Whoever gets true calls release.
 */
export function tryAcquire(arena: Lockable, patienceMs = 0): boolean {
  // Pairs with release: whoever gets 0 here sees everything the last owner wrote.
  if (Atomics.compareExchange(arena.i32, HEAD_LOCK, 0, OWN_PID) !== 0 && !acquireSlowly(arena, patienceMs))
    return false;
  arena.u32[HEAD_LOCK_TENURE] = arena.u32[HEAD_LOCK_TENURE]! + 1;
  return true;
}

/**
 * For those who have the store for themselves. Throws when another process holds the lock for 5 s all the
 * same.
 */
export function acquire(arena: Lockable, patienceMs = ALONE_MS): void {
  if (tryAcquire(arena, patienceMs)) return;
  throw new Error(`the store's lock is held by process ${lockOwner(arena)} for more than ${patienceMs} ms`);
}

/** Gives the lock back; pairs with the compare-and-exchange in tryAcquire. */
export function release(arena: Lockable): void {
  Atomics.store(arena.i32, HEAD_LOCK, 0);
}

/** Says, in the middle of long work under the lock, that its owner has not stalled. */
export function beat({ u32 }: Lockable): void {
  u32[HEAD_LOCK_BEAT] = u32[HEAD_LOCK_BEAT]! + 1;
}

/** The process that holds the lock; 0: it is free. */
export const lockOwner = ({ i32 }: Lockable): number => Atomics.load(i32, HEAD_LOCK);

/** Another number whenever the lock was taken anew or its owner has got on. */
export const lockProgress = ({ u32 }: Lockable): number =>
  (Atomics.load(u32, HEAD_LOCK_TENURE) + Atomics.load(u32, HEAD_LOCK_BEAT)) >>> 0;

/**
 * Takes the lock over from a dead process and mends what it left; false when that process did not hold it.
 */
export function takeOver(arena: Lockable, deadPid: number): boolean {
  if (!isTakenFrom(arena, deadPid)) return false;
  mend(arena);
  release(arena);
  return true;
}

export type AfterDeath = "not held" | "finished" | "damaged";

/**
 * The same for whoever has no time: finishes what the dead process was at, which takes microseconds.
 * "damaged": that is not enough, and its lock stays taken until somebody has the time for takeOver.
 */
export function takeOverInPassing(arena: Lockable, deadPid: number): AfterDeath {
  if (!isTakenFrom(arena, deadPid)) return "not held";
  if (arena.mending.redo(arena)) {
    release(arena);
    return "finished";
  }
  // Half of it may have been carried out: nobody is to try that again.
  arm(arena, REBUILD);
  Atomics.store(arena.i32, HEAD_LOCK, deadPid);
  return "damaged";
}

/** Pairs with the dead owner's tryAcquire; only one process can win this. */
function isTakenFrom(arena: Lockable, deadPid: number): boolean {
  if (Atomics.compareExchange(arena.i32, HEAD_LOCK, deadPid, OWN_PID) !== deadPid) return false;
  beat(arena);
  return true;
}

function acquireSlowly(arena: Lockable, patienceMs: number): boolean {
  const { i32, u32 } = arena;
  for (let spin = 0; spin < SPINS; spin++) if (isTaken(i32)) return true;
  if (Atomics.load(i32, HEAD_LOCK) === OWN_PID) {
    mend(arena);
    return true;
  }
  const tenure = u32[HEAD_LOCK_TENURE]!;
  const before = spent.words === u32 && spent.tenure === tenure ? spent.ms : 0;
  const startMs = performance.now();
  let waitedMs = before;
  while (waitedMs < patienceMs) {
    Atomics.wait(napWord, 0, 0, NAP_MS);
    if (isTaken(i32)) return true;
    waitedMs = before + performance.now() - startMs;
  }
  spent.words = u32;
  spent.tenure = u32[HEAD_LOCK_TENURE]!;
  spent.ms = spent.tenure === tenure ? waitedMs : 0;
  return false;
}

/** Looks before it exchanges, so that waiters do not fight over the cache line. */
const isTaken = (i32: Int32Array): boolean =>
  Atomics.load(i32, HEAD_LOCK) === 0 && Atomics.compareExchange(i32, HEAD_LOCK, 0, OWN_PID) === 0;
