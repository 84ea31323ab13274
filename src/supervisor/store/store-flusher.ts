/**
 * `[store] sync` with an interval: main writes the store to its disk again and again, so that a power cut
 * costs no more than what was published in one interval and the time of one flush. Main, because one process
 * is enough for all workers' pages, and no connection waits for it. Used by main-store.ts.
 */
import type { StoreSync } from "../../config/store-sync.ts";
import { log } from "../../log.ts";
import type { DiskFlush } from "../../store/memory/flush.ts";
import type { Store } from "../../store/store.ts";

export class StoreFlusher {
  readonly #store: Store;
  readonly #flush: DiskFlush;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Ring head that is on the disk. */
  #flushed = -1;
  #isFlushing = false;
  #isFailing = false;

  /** null where there is nothing to do: another setting, or a store in memory. */
  static of(store: Store, sync: StoreSync): StoreFlusher | null {
    if (typeof sync !== "number") return null;
    const flush = store.upkeep.openFlush();
    return flush === null ? null : new StoreFlusher(store, flush, sync);
  }

  private constructor(store: Store, flush: DiskFlush, everyMs: number) {
    this.#store = store;
    this.#flush = flush;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#flush.close();
  }

  /** A disk that is slower than the interval gets one flush at a time. */
  #look(): void {
    const head = this.#store.head();
    if (this.#isFlushing || head === this.#flushed) return;
    this.#isFlushing = true;
    this.#flush.flush().then(
      () => this.#done(head),
      (error: Error) => this.#failed(error),
    );
  }

  #done(head: number): void {
    this.#isFlushing = false;
    this.#flushed = head;
    if (this.#isFailing) log("info", "the store is written to its disk again");
    this.#isFailing = false;
  }

  /** Once, until it works again: it is tried at every interval. */
  #failed(error: Error): void {
    this.#isFlushing = false;
    if (!this.#isFailing) log("error", "the store cannot be written to its disk", { error: error.message });
    this.#isFailing = true;
  }
}
