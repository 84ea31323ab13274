/**
 * The sections of a shared dictionary that change something: under its lock, and mended when one threw. Used
 * by shared-dictionary.ts, one for each.
 */
import { lockOwner, release, tryAcquire } from "../lock/lock.ts";
import { DamageError, mendWhole } from "../recovery/damage.ts";
import type { DictionaryArena } from "./shared-change.ts";

/** What is thrown at the caller for what he did, or because the lock could not be had. */
export type Complain = (fault: Error | "busy") => Error;

/**
 * An owner who waits for a CPU on a busy machine is back by then; one that stands still is main's to end
 * (lock.ts).
 */
const PATIENCE_MS = 100;

export class Section {
  readonly #arena: DictionaryArena;
  readonly #complain: Complain;

  constructor(arena: DictionaryArena, complain: Complain) {
    this.#arena = arena;
    this.#complain = complain;
  }

  run<Result>(work: () => Result): Result {
    this.begin();
    let result: Result;
    try {
      result = work();
    } catch (error) {
      throw this.mended(error);
    }
    this.end();
    return result;
  }

  /** By hand, for those who need no function made for every call: begin, and end or `mended`. */
  begin(): void {
    if (!tryAcquire(this.#arena, PATIENCE_MS)) throw this.#complain("busy");
  }

  end(): void {
    release(this.#arena);
  }

  /**
   * It threw: what it was at is finished, or, where memory is damaged, all is emptied; what is to be thrown
   * at the caller. The crash tests die for good.
   */
  mended(error: unknown): unknown {
    const arena = this.#arena;
    if (arena.fault !== null || lockOwner(arena) !== process.pid) return error;
    if (!(error instanceof DamageError)) {
      arena.mending.redo(arena);
      release(arena);
      return error;
    }
    mendWhole(arena);
    release(arena);
    return this.#complain("busy");
  }
}
