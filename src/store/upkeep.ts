/**
 * What main does to a store it has opened (Store.upkeep): frees the lock of a process that died, tells of
 * damage, waits for the disk, and says at the end that everything is there. Workers ask one thing of it,
 * whether there is a disk to wait for.
 */
import { type AfterDeath, lockOwner, lockProgress, takeOver, takeOverInPassing } from "./lock/lock.ts";
import type { Arena } from "./memory/arena.ts";
import { DiskFlush } from "./memory/flush.ts";
import { timesMended } from "./recovery/damage.ts";
import { endService, isOnDisk } from "./service.ts";

export class Upkeep {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * If this dead process held the lock, finishes what it was at and frees it, unless that takes longer than
   * microseconds.
   */
  finishAfterDeath(pid: number): AfterDeath {
    return takeOverInPassing(this.#arena, pid);
  }

  /** The same, however long it takes; true if it held the lock. */
  repairAfterDeath(pid: number): boolean {
    return takeOver(this.#arena, pid);
  }

  /** How often links led where none can lead, and the lists were made anew; main says so in the log. */
  get timesMended(): number {
    return timesMended(this.#arena);
  }

  /** The process that holds the lock, 0 when it is free. */
  lockOwner(): number {
    return lockOwner(this.#arena);
  }

  /** Another number whenever the lock changed hands or its owner got on. */
  lockProgress(): number {
    return lockProgress(this.#arena);
  }

  /**
   * For whoever waits for the disk; null: the messages are in memory, and there is none to wait for. Close
   * it.
   */
  openFlush(): DiskFlush | null {
    return isOnDisk(this.#arena) ? new DiskFlush(this.#arena) : null;
  }

  /**
   * Says that nobody writes any more, so that the next open needs no recovery. Takes as long as the disk
   * does. Throws when it cannot be said, because the disk did not take everything.
   */
  markClean(): void {
    endService(this.#arena);
  }
}
