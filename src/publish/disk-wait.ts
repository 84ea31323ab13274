/**
 * `[store] sync = "each"` in one worker: every publish and deletion is followed by a flush, which those of
 * one turn of the event loop and those that come while one is under way share (store/memory/flush.ts). HTTP
 * publishers, and WebSocket clients whose frames ask for an answer, are answered after it (endpoint.ts,
 * client-run.ts). A plain text of a client has no answer, and a handler's `publish` returns at once: theirs
 * are on the disk a flush later. Made by app.ts.
 */
import type { StoreSync } from "../config/store-sync.ts";
import { log } from "../log.ts";
import type { DiskFlush } from "../store/memory/flush.ts";
import type { Store } from "../store/store.ts";

export class DiskWait {
  readonly #flush: DiskFlush;
  #isFailing = false;

  /** null: another setting, or a store in memory. */
  static of(store: Store, sync: StoreSync): DiskWait | null {
    const flush = sync === "each" ? store.upkeep.openFlush() : null;
    return flush === null ? null : new DiskWait(flush);
  }

  private constructor(flush: DiskFlush) {
    this.#flush = flush;
  }

  /**
   * Resolves when everything that was put in before is on the disk; false: it is not known to be, and the log
   * says why.
   */
  readonly settled = (): Promise<boolean> => this.#flush.flush().then(this.#done, this.#failed);

  stop(): void {
    this.#flush.close();
  }

  readonly #done = (): boolean => {
    this.#isFailing = false;
    return true;
  };

  /** Logged once, until it works again. */
  readonly #failed = (error: Error): boolean => {
    if (!this.#isFailing) log("error", "the store cannot be written to its disk", { error: error.message });
    this.#isFailing = true;
    return false;
  };
}
