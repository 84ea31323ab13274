/**
 * The one lock of the store: a word that holds the owner's pid, so that main can tell a dead owner from a slow one. Taken by
 * every function that changes lists, for well under a microsecond, except sweeps and recovery, which work in slices.
 *
 * Not a futex: Atomics.wait does not reach across processes here, so waiters spin, then nap. There is no try/finally
 * around locked sections: a section that threw left the lists half changed, and must be repaired, not unlocked. As a
 * process runs one section at a time, finding its own pid in the word means exactly that, and it repairs at once.
 */
import type { Arena } from "./arena.ts";
import { HEAD_LOCK } from "./layout.ts";

const SPINS = 200;
const NAP_MS = 0.1;
const PATIENCE_MS = 5000;

/** Kept, because the property is a native getter. */
const OWN_PID = process.pid;

const napWord = new Int32Array(new SharedArrayBuffer(4));

/** Takes the lock. Throws when another process holds it for 5 s (a stopped process; a dead one is repaired by main). */
export function acquire(arena: Arena, patienceMs = PATIENCE_MS): void {
  // Pairs with release: whoever gets 0 here sees everything the last owner wrote.
  if (Atomics.compareExchange(arena.i32, HEAD_LOCK, 0, OWN_PID) !== 0) acquireSlowly(arena, patienceMs);
}

/** Gives the lock back; pairs with the compare-and-exchange in acquire. */
export function release(arena: Arena): void {
  Atomics.store(arena.i32, HEAD_LOCK, 0);
}

/** Takes the lock over from a dead process and mends what it left; false when that process did not hold it. */
export function takeOver(arena: Arena, deadPid: number): boolean {
  // Pairs with the dead owner's acquire; only one process can win this.
  if (Atomics.compareExchange(arena.i32, HEAD_LOCK, deadPid, OWN_PID) !== deadPid) return false;
  arena.repair(arena);
  release(arena);
  return true;
}

function acquireSlowly(arena: Arena, patienceMs: number): void {
  const { i32 } = arena;
  for (let spin = 0; spin < SPINS; spin++) {
    // Looks before it exchanges, so that waiters do not fight over the cache line.
    if (Atomics.load(i32, HEAD_LOCK) === 0 && tryAcquire(i32) === 0) return;
  }
  if (Atomics.load(i32, HEAD_LOCK) === OWN_PID) {
    arena.repair(arena);
    return;
  }
  const deadline = performance.now() + patienceMs;
  while (tryAcquire(i32) !== 0) {
    if (performance.now() > deadline) {
      throw new Error(
        `the store's lock is held by process ${Atomics.load(i32, HEAD_LOCK)} for more than ${patienceMs} ms`,
      );
    }
    Atomics.wait(napWord, 0, 0, NAP_MS);
  }
}

const tryAcquire = (i32: Int32Array): number => Atomics.compareExchange(i32, HEAD_LOCK, 0, OWN_PID);
