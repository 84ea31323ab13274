/**
 * The list of all channels, or of those whose names start alike (push-stream spec 5.1, 5.4). Used by
 * statistics.ts.
 *
 * 20,000 channels take some 20 ms, far longer than deliveries may wait. So long lists are written a slice an
 * event-loop turn, and one list at a time: however many are asked for at once, a turn is never longer by more
 * than one slice, and only one of them grows.
 */
import { hostname } from "node:os";
import { LivingChannels, zoneCounts } from "../store/channel/channel-statistics.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { StatisticsFormat } from "../wire/statistics.ts";

/** Up to this many channels are looked at in one turn; a store with no more of them is listed at once. */
export const SLICE_CHANNELS = 2000;
/** A slice of long names ends earlier. */
const SLICE_MS = 4;
/** Reading the clock costs a tenth of a channel. */
const CHANNELS_BETWEEN_CLOCKS = 16;

/**
 * One answer on its way. The head tells of the moment it is made, and that moment's channels are those that
 * are listed.
 */
class ChannelListing {
  readonly #writer: ByteWriter;
  readonly #format: StatisticsFormat;
  readonly #prefix: Uint8Array;
  readonly #channels: LivingChannels;
  #at = 0;
  #isEmpty = true;

  constructor(
    store: Store,
    channels: LivingChannels,
    format: StatisticsFormat,
    prefix: Uint8Array,
    writer: ByteWriter,
  ) {
    this.#writer = writer;
    this.#format = format;
    this.#prefix = prefix;
    format.groupHead(writer, zoneCounts(store, hostname(), Date.now()));
    this.#channels = channels;
  }

  /** Writes until `maxChannels` were looked at or `maxMs` are over; true: the answer is complete. */
  advance(maxChannels: number, maxMs: number): boolean {
    const end = Math.min(this.#channels.length, this.#at + maxChannels);
    const deadlineMs = performance.now() + maxMs;
    while (this.#at < end) {
      const counts = this.#channels.counts(this.#at++, this.#prefix);
      if (counts !== null) {
        this.#format.groupItem(this.#writer, counts, this.#isEmpty);
        this.#isEmpty = false;
      }
      if (this.#at % CHANNELS_BETWEEN_CLOCKS === 0 && performance.now() > deadlineMs) break;
    }
    if (this.#at < this.#channels.length) return false;
    this.#format.groupTail(this.#writer, this.#isEmpty);
    return true;
  }
}

type Listed = Uint8Array<ArrayBuffer> | "busy" | null;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One a worker, shared by its statistics locations. */
export class ChannelListings {
  readonly #store: Store;
  /** For the lists that are written in one go. */
  readonly #writer = new ByteWriter();
  /** Settled when the last long list that was asked for is done. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * The body that lists every channel whose name starts with `prefix`; a promise when there are many channels
   * to look at. null: the asker is gone; "busy": the store is. Lists wait for each other as promises alone,
   * so waiting ones cost no more than their connections.
   */
  list(format: StatisticsFormat, prefix: Uint8Array, asker: AbortSignal): Listed | Promise<Listed> {
    const { channels, wildcardChannels } = zoneCounts(this.#store, "", 0);
    if (channels + wildcardChannels > SLICE_CHANNELS) return this.#listSlowly(format, prefix, asker);
    const living = LivingChannels.of(this.#store);
    if (living === null) return "busy";
    const writer = this.#writer;
    writer.reset();
    new ChannelListing(this.#store, living, format, prefix, writer).advance(
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    );
    return writer.copy();
  }

  #listSlowly(format: StatisticsFormat, prefix: Uint8Array, asker: AbortSignal) {
    const mine = this.#last.then(() => this.#inSlices(format, prefix, asker));
    // A list that fails fails its own request; the next one starts all the same.
    const over = (): void => undefined;
    this.#last = mine.then(over, over);
    return mine;
  }

  async #inSlices(format: StatisticsFormat, prefix: Uint8Array, asker: AbortSignal): Promise<Listed> {
    // The turn in which a list ends has had its slice.
    await nextTurn();
    if (asker.aborted) return null;
    // Not kept: a buffer of this size would rest here for good.
    const writer = new ByteWriter();
    const living = LivingChannels.of(this.#store);
    if (living === null) return "busy";
    const listing = new ChannelListing(this.#store, living, format, prefix, writer);
    while (!listing.advance(SLICE_CHANNELS, SLICE_MS)) {
      await nextTurn();
      if (asker.aborted) return null;
    }
    return writer.view();
  }
}
