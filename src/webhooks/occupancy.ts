/**
 * Finds the channels that have been empty for long enough to be told vacated. Who comes first is told where
 * he is counted (store/webhook/webhook-log.ts); who goes last is not: he may be back in a moment, and may
 * have gone with his whole process. So the one worker that sends looks at the counts, all of them within half
 * a second, a slice at a time.
 */
import type { Store } from "../store/store.ts";
import type { Attended } from "../store/webhook/webhook-store.ts";

const LOOKS_A_ROUND = 25;
/** Some 0.3 ms where records are not in the processor's cache. */
const MOST_RECORDS = 16_384;

interface Empty {
  readonly seen: Attended;
  readonly sinceMs: number;
}

export class Occupancy {
  readonly #store: Store;
  readonly #afterMs: number;
  /** Channels that were told to be occupied and have nobody. */
  readonly #empty = new Map<number, Empty>();
  readonly #slice: number;
  #next = 0;
  /**
   * Subscribers who came before anybody wanted to know are looked for in the first round; in a cluster, of
   * other nodes, in each.
   */
  #looksForUntold = true;

  constructor(store: Store, afterMs: number) {
    this.#store = store;
    this.#afterMs = afterMs;
    this.#slice = Math.min(MOST_RECORDS, Math.ceil(store.channelCapacity / LOOKS_A_ROUND));
  }

  /** performance.now(). */
  look(nowMs: number): void {
    const end = Math.min(this.#next + this.#slice, this.#store.channelCapacity);
    for (; this.#next < end; this.#next++) this.#lookAt(this.#next, nowMs);
    if (end < this.#store.channelCapacity) return;
    this.#next = 0;
    this.#looksForUntold = this.#store.isClustered;
  }

  #lookAt(index: number, nowMs: number): void {
    const { webhooks } = this.#store;
    if (this.#looksForUntold && webhooks.isUntold(index)) webhooks.occupied(index, Date.now());
    const seen = webhooks.attended(index);
    if (seen === null || !seen.isEmpty) {
      this.#empty.delete(index);
      return;
    }
    const known = this.#empty.get(index);
    if (known?.seen.word !== seen.word || known.seen.incarnation !== seen.incarnation)
      this.#empty.set(index, { seen, sinceMs: nowMs });
    else if (nowMs - known.sinceMs >= this.#afterMs) {
      if (webhooks.vacated(seen, Date.now())) this.#empty.delete(index);
    }
  }
}
