/**
 * Getting what was written to the mapped file onto its disk. fdatasync on any descriptor of the file writes
 * back every dirty page of its mappings, whoever wrote them (file_write_and_wait_range in Linux), so msync
 * and bun:ffi are not needed. For a file in memory all of this does nothing.
 *
 * Who calls: main around "closed in order" (service.ts) and at an interval; with `sync = "each"` every worker
 * before it answers a publisher.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, fstatSync, openSync } from "node:fs";
import { type Arena, wide } from "./arena.ts";
import { HEAD_INODE, HEAD_ON_DISK } from "./layout-header.ts";

/** Blocks until everything is on the disk. Throws when it cannot be known to be. */
export function flushNow(arena: Pick<Arena, "u32" | "path">): void {
  if (arena.u32[HEAD_ON_DISK] !== 1) return;
  const descriptor = openMapped(arena);
  try {
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The file that is mapped, not another one that was put in its place. */
function openMapped({ path, u32 }: Pick<Arena, "u32" | "path">): number {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fstatSync(descriptor).ino === wide(u32, HEAD_INODE)) return descriptor;
  closeSync(descriptor);
  throw new Error(`the store ${path} is not the file that is in use; somebody has replaced it`);
}

/**
 * Flushes on a thread of the runtime, so that no event loop waits for a disk. Whoever asks while one is under
 * way shares the next one with all who ask until that begins: a hundred publishes cost two flushes.
 */
export class DiskFlush {
  readonly #descriptor: number;
  #isRunning = false;
  #isClosed = false;
  /** Of those who asked since the one under way began. */
  #next: PromiseWithResolvers<void> | null = null;

  /** Throws when the file is gone. */
  constructor(arena: Arena) {
    this.#descriptor = openMapped(arena);
  }

  /**
   * Resolves when everything that was written before the call is on the disk; rejects when that is not known.
   */
  flush(): Promise<void> {
    if (this.#next === null) {
      this.#next = Promise.withResolvers<void>();
      // The rest of this turn of the event loop may come along.
      if (!this.#isRunning) queueMicrotask(() => this.#begin());
    }
    return this.#next.promise;
  }

  /** What was asked for is still done. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isRunning && this.#next === null) closeSync(this.#descriptor);
  }

  #begin(): void {
    const waiting = this.#next;
    if (waiting === null || this.#isRunning) return;
    this.#next = null;
    this.#isRunning = true;
    fdatasync(this.#descriptor, (error) => {
      this.#isRunning = false;
      if (error === null) waiting.resolve();
      else waiting.reject(error);
      if (this.#next !== null) this.#begin();
      else if (this.#isClosed) closeSync(this.#descriptor);
    });
  }
}
