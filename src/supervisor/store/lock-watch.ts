/**
 * Notices an owner of the store's lock that stands still: stopped, frozen, or caught in a slow disk (lock.ts
 * says what may hold the lock, and why nobody else can end this). Called by the supervisor every
 * LOCK_LOOK_MS; it never waits for anything.
 *
 *   free, or it moves                → nothing
 *   one of our workers, for 1 s      → it is killed; its death is told as any other, and then its lock is
 *                                      repaired (generation.ts)
 *   one that only waits for a CPU    → the same after 5 s: to kill workers of an overloaded machine would
 *                                      load it more
 *   main itself                      → a section that threw: repaired
 *   nobody, or not in this store     → taken over
 *   a stranger                       → told, once
 *
 * A pause of main itself counts as one late look, however long it was: a whole process group that was stopped
 * is not a stall.
 */
import { readFileSync } from "node:fs";
import { log } from "../../log.ts";

export const LOCK_LOOK_MS = 200;
export const STALLED_MS = 1000;
export const STARVED_MS = 5000;
/** Of the time between two looks. */
const MOST_A_LOOK_MS = STALLED_MS / 2;

/** The store, as far as it matters here. */
export interface WatchedLock {
  lockOwner(): number;
  lockProgress(): number;
  repairAfterDeath(pid: number): boolean;
}

/** What this machine knows of a process; tests say what they like. */
export interface ProcessSight {
  /** The letter of /proc/<pid>/stat; "" = there is no such process, or no /proc. */
  stateOf(pid: number): string;
  isAlive(pid: number): boolean;
  /** False only when it is certain that it does not have the file in its memory. */
  maps(pid: number, path: string): boolean;
}

export class LockWatch {
  readonly #sight: ProcessSight;
  readonly #killWorker: (pid: number, why: string) => boolean;
  #owner = 0;
  #progress = 0;
  /** For how long it has stood still. */
  #stillMs = 0;
  #lookedMs = 0;
  /** What could be done about this tenure was done. */
  #isOver = false;

  /** `killWorker`: false when the process is none of ours. */
  constructor(killWorker: (pid: number, why: string) => boolean, sight: ProcessSight = procSight) {
    this.#killWorker = killWorker;
    this.#sight = sight;
  }

  look(lock: WatchedLock, storePath: string, now = performance.now()): void {
    const owner = lock.lockOwner();
    const progress = lock.lockProgress();
    this.#stillMs += Math.min(now - this.#lookedMs, MOST_A_LOOK_MS);
    this.#lookedMs = now;
    if (owner !== this.#owner || progress !== this.#progress) {
      this.#owner = owner;
      this.#progress = progress;
      this.#stillMs = 0;
      this.#isOver = false;
    }
    if (owner === 0 || this.#isOver || this.#stillMs < STALLED_MS) return;
    if (this.#stillMs < STARVED_MS && this.#sight.stateOf(owner) === "R") return;
    this.#isOver = true;
    this.#end(lock, owner, storePath);
  }

  #end(lock: WatchedLock, owner: number, storePath: string): void {
    const pid = owner;
    if (this.#killWorker(pid, "it stood still while it held the store's lock")) return;
    if (pid !== process.pid && this.#sight.isAlive(pid) && this.#sight.maps(pid, storePath))
      log("error", "the store's lock is held by a process that is no worker: publishing is refused", { pid });
    else if (lock.repairAfterDeath(pid))
      log("warn", "the store's lock was held by nobody; the store was repaired", { pid });
  }
}

const procSight: ProcessSight = {
  stateOf(pid) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      // Behind the command name, which may hold anything.
      return stat.charAt(stat.lastIndexOf(")") + 2);
    } catch {
      return ""; // gone this instant, or no /proc here: it has the shorter time
    }
  },

  isAlive(pid) {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      // Somebody else's process is alive, too.
      return (error as NodeJS.ErrnoException).code === "EPERM";
    }
  },

  maps(pid, path) {
    try {
      return readFileSync(`/proc/${pid}/maps`, "latin1").includes(path);
    } catch {
      return true; // not to be read: better to refuse publishing than to write beside a living owner
    }
  },
};
