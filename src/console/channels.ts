/**
 * What the console asks of channels: the list, by subscribers, rate or backlog, and one channel with its last
 * messages. Read from the store, so any worker answers. Called by plugin.ts.
 */
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { type ChannelCounts, countsByName, LivingChannels } from "../store/channel/channel-statistics.ts";
import { LastSearch } from "../store/message/last-search.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";

/** Rows of a list; who looks for more searches. */
const MAX_ROWS = 200;
/** Looked at in one turn. */
const SLICE = 500;
const LAST_MESSAGES = 30;
/** Bytes of a message that are shown. */
const SHOWN_BYTES = 2048;
/** Counts of the list before, for rates, are kept this long. */
const KEPT_MS = 30_000;
/** Rates of the first so many channels; those of a store with more are not known. */
const MAX_KEPT = 50_000;

export const SORTS = ["subscribers", "rate", "stored", "published", "name"] as const;
export type Sort = (typeof SORTS)[number];

interface Row {
  readonly name: string;
  readonly subscribers: number;
  readonly stored: number;
  readonly published: number;
  /** Messages a second since the list before; null: there was none. */
  readonly rate: number | null;
}

export class ConsoleChannels {
  readonly #store: Store;
  readonly #slot: number;
  #before = new Map<number, number>();
  #beforeMs = 0;
  readonly #decoder = new TextDecoder();

  constructor(store: Store, slot: number) {
    this.#store = store;
    this.#slot = slot;
  }

  /** null: the store is busy. The whole of a large store is looked at in slices, a turn each. */
  async list(search: string, sort: Sort): Promise<{ total: number; rows: readonly Row[] } | null> {
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
      const row = this.#row(counts, before.get(index), sinceMs);
      if (search === "" || row.name.includes(search)) rows.push(row);
    }
    // Two pages that look at once must not make the time between two lists too short for a rate.
    if (sinceMs > 900) [this.#before, this.#beforeMs] = [seen, nowMs];
    return { total: rows.length, rows: rows.toSorted(orders[sort]).slice(0, MAX_ROWS) };
  }

  #row(
    { name, subscribers, stored, published }: ChannelCounts,
    before: number | undefined,
    sinceMs: number,
  ): Row {
    const rate =
      before === undefined ? null : Math.max(0, ((published - before) * 1000) / Math.max(1, sinceMs));
    return { name: this.#decoder.decode(name), subscribers, stored, published, rate };
  }

  /** null: there is none, or the store is busy. */
  one(name: Uint8Array) {
    const counts = countsByName(this.#store, name);
    if (counts === null || counts === "busy") return null;
    return { ...this.#row(counts, undefined, 0), ...this.#whoIsThere(name), messages: this.#messages(name) };
  }

  /** Subscribers of each worker that has some, and members where presence counts them. */
  #whoIsThere(name: Uint8Array) {
    const store = this.#store;
    const ref = new ChannelRef();
    if (store.find(name, ref) < 0) return { workers: [], members: null };
    const { index, incarnation } = ref;
    const workers = Array.from({ length: store.workerSlots }, (_, slot) => ({
      slot,
      subscribers: store.subscribers.countOfSlot(index, slot),
    })).filter(({ subscribers }) => subscribers > 0);
    const seen = store.members?.occupancy(this.#slot, index, incarnation, false, Date.now()) ?? null;
    return { workers, members: seen?.count ?? null };
  }

  #messages(name: Uint8Array) {
    const ref = new ChannelRef();
    const store = this.#store;
    if (store.find(name, ref) < 0) return [];
    const { index, incarnation } = ref;
    const search = new LastSearch(store, index, incarnation, LAST_MESSAGES, store.publishedCount(index));
    search.run(Number.MAX_SAFE_INTEGER);
    const reader = store.history.reader(index, incarnation, search.afterId);
    const message = new Message();
    const messages = [];
    while (messages.length < LAST_MESSAGES && reader.next(message) === FOUND) {
      reader.accept(message);
      const { id, time, bytes, dataOffset, dataLength, eventIdLength, eventTypeLength } = message;
      const text = (start: number, length: number): string =>
        this.#decoder.decode(bytes.subarray(start, start + length));
      messages.push({
        id,
        time,
        size: dataLength,
        text: text(dataOffset, Math.min(dataLength, SHOWN_BYTES)),
        eventId: eventIdLength < 0 ? null : text(0, eventIdLength),
        eventType: eventTypeLength < 0 ? null : text(Math.max(0, eventIdLength), eventTypeLength),
      });
    }
    return messages.toReversed();
  }
}

const NO_PREFIX = new Uint8Array(0);

const byNumber =
  (key: (row: Row) => number) =>
  (one: Row, other: Row): number =>
    key(other) - key(one) || one.name.localeCompare(other.name);

const orders: Readonly<Record<Sort, (one: Row, other: Row) => number>> = {
  subscribers: byNumber((row) => row.subscribers),
  rate: byNumber((row) => row.rate ?? -1),
  stored: byNumber((row) => row.stored),
  published: byNumber((row) => row.published),
  name: (one, other) => one.name.localeCompare(other.name),
};
