/**
 * What the console asks of channels: the list, by subscribers, rate or backlog, and one channel with its last
 * messages. Read from the store, so any worker answers. Called by plugin.ts.
 */
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { countsByName } from "../store/channel/channel-statistics.ts";
import { LastSearch } from "../store/message/last-search.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";
import { ChannelScan, type Row, rowOf } from "./channel-scan.ts";

/** Rows of a list; who looks for more searches. */
const MAX_ROWS = 200;
const LAST_MESSAGES = 30;
/** Bytes of a message that are shown. */
const SHOWN_BYTES = 2048;

export const SORTS = ["subscribers", "rate", "stored", "published", "name"] as const;
export type Sort = (typeof SORTS)[number];

export class ConsoleChannels {
  readonly #store: Store;
  readonly #slot: number;
  readonly #scan: ChannelScan;
  readonly #decoder = new TextDecoder();

  constructor(store: Store, slot: number) {
    this.#store = store;
    this.#slot = slot;
    this.#scan = new ChannelScan(store);
  }

  /** null: the store is busy. */
  async list(search: string, sort: Sort): Promise<{ total: number; rows: readonly Row[] } | null> {
    const all = await this.#scan.rows();
    if (all === null) return null;
    const rows = search === "" ? all : all.filter(({ name }) => name.includes(search));
    return { total: rows.length, rows: rows.toSorted(orders[sort]).slice(0, MAX_ROWS) };
  }

  /** null: there is none, or the store is busy. */
  one(name: Uint8Array) {
    const counts = countsByName(this.#store, name);
    if (counts === null || counts === "busy") return null;
    return { ...rowOf(counts), ...this.#whoIsThere(name), messages: this.#messages(name) };
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
