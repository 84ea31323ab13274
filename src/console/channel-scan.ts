/**
 * One look at all channels, for everybody who asks the console for its list within a second. The whole of a
 * large store is looked at in slices, a turn each; searching and sorting are the list's (channels.ts), on the
 * rows that all share.
 *
 * A scan is one row a living channel, of which the store has a limit, is there once, and is let go a second
 * after it was made.
 */
import { type ChannelCounts, LivingChannels } from "../store/channel/channel-statistics.ts";
import type { Store } from "../store/store.ts";

/** Looked at in one turn. */
export const SLICE = 500;
/** So long a scan is good. */
const SHARED_MS = 1000;
/** Counts of the scan before, for rates, are kept this long. */
const KEPT_MS = 30_000;
/** Rates of the first so many channels; those of a store with more are not known. */
const MAX_KEPT = 50_000;

const NO_PREFIX = new Uint8Array(0);
const decoder = new TextDecoder();

export interface Row {
  readonly name: string;
  readonly subscribers: number;
  readonly stored: number;
  readonly published: number;
  /** Messages a second since the scan before; null: there was none. */
  readonly rate: number | null;
}

export class ChannelScan {
  readonly #store: Store;
  /** The last one, or the one that goes on; null: it was too long ago. */
  #shared: Promise<readonly Row[] | null> | null = null;
  #before = new Map<number, number>();
  #beforeMs = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** null: the store is busy. Whoever asks while a scan goes on waits for that one. */
  rows(): Promise<readonly Row[] | null> {
    this.#shared ??= this.#scan();
    return this.#shared;
  }

  async #scan(): Promise<readonly Row[] | null> {
    let sharedMs = 0;
    try {
      const rows = await this.#all();
      if (rows !== null) sharedMs = SHARED_MS;
      return rows;
    } finally {
      // What has failed is tried again by the next who asks.
      setTimeout(() => {
        this.#shared = null;
      }, sharedMs).unref();
    }
  }

  async #all(): Promise<readonly Row[] | null> {
    const living = LivingChannels.of(this.#store);
    if (living === null) return null;
    const nowMs = Date.now();
    const sinceMs = nowMs - this.#beforeMs;
    const before = sinceMs < KEPT_MS ? this.#before : new Map<number, number>();
    const seen = new Map<number, number>();
    const rows: Row[] = [];
    for (let at = 0; at < living.length; at++) {
      if (at > 0 && at % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
      const counts = living.counts(at, NO_PREFIX);
      if (counts === null) continue;
      const index = living.indexAt(at);
      if (seen.size < MAX_KEPT) seen.set(index, counts.published);
      rows.push(rowOf(counts, before.get(index), sinceMs));
    }
    [this.#before, this.#beforeMs] = [seen, nowMs];
    return rows;
  }
}

/** `before` and `sinceMs`: what was published in it, and how long ago; undefined: nobody knows. */
export function rowOf(
  { name, subscribers, stored, published }: ChannelCounts,
  before?: number,
  sinceMs = 0,
): Row {
  const rate =
    before === undefined ? null : Math.max(0, ((published - before) * 1000) / Math.max(1, sinceMs));
  return { name: decoder.decode(name), subscribers, stored, published, rate };
}
