/**
 * What one poll reads: its channels one after the other, each by a Reader that ends at the poll's mark
 * (push-stream spec 4.12 (3), (5)). In pieces, so that a poll of a million messages costs a piece of memory
 * and a moment of the worker at a time. Made by poll.ts.
 */
import type { Format } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { FLAG_STORED } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND, type Reader } from "../store/message/reader.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import { pushJsonpComma } from "../wire/jsonp.ts";
import type { Seat } from "./admit.ts";
import type { Start } from "./asked.ts";

/** Everything up to the mark was rendered. */
export const DONE = 0;
/** There is more: call again. */
export const MORE = 1;
/** Somebody else is in the middle of a change: call again in a moment. */
export const WAIT = 2;
/** Something that the client is owed went after the head of the answer had left. */
export const LOST = 3;

const PIECE_BYTES = 256 * 1024;
/** Messages looked at for a piece, about half a millisecond, whether they are for this client or not. */
const PIECE_MESSAGES = 1024;

/** Time and tag a poll's answer carries. */
export interface Mark {
  time: number;
  tag: number;
}

/** One channel of the poll. */
interface Part {
  readonly seat: Seat;
  readonly reader: Reader;
  /**
   * What has a greater id is owed: unstored messages that still rest are the client's as well, and a hole is
   * a loss. 0: its position counts messages, so everything behind it; else it asked by time, and what came
   * since it was asked where that is was published while it stood here.
   */
  readonly owedAfter: number;
  /** The last id there was once the mark was known. */
  readonly until: number;
  /** Infinite: it cannot be counted. */
  missed: number;
}

const message = new Message();

export class PollReading {
  /** Messages rendered so far. */
  count = 0;
  readonly #parts: readonly Part[];
  #part = 0;
  readonly #store: Store;
  readonly #mark: Mark;
  readonly #format: Format;
  readonly #nobody: LocalChannel;
  readonly #isJsonp: boolean;
  /** The head has left with what was known to be missing. */
  #isToldOf = false;

  constructor(
    store: Store,
    seats: readonly Seat[],
    starts: readonly Start[],
    mark: Mark,
    look: { format: Format; nobody: LocalChannel; isJsonp: boolean },
  ) {
    this.#store = store;
    this.#mark = mark;
    this.#format = look.format;
    this.#nobody = look.nobody;
    this.#isJsonp = look.isJsonp;
    this.#parts = seats.map((seat, i) => ({
      seat,
      reader: store.history.reader(seat.index, seat.incarnation, starts[i]?.afterId ?? 0),
      owedAfter: starts[i]?.historyUntil ?? 0,
      until: untilOf(store, seat),
      missed: 0,
    }));
  }

  /** How many messages are missing in a channel, as far as it was read. */
  missed(place: number): number {
    return this.#parts[place]?.missed ?? 0;
  }

  /** What is missing is told in the head, which leaves now: from here on a loss ends the answer (LOST). */
  headLeaves(): void {
    this.#isToldOf = true;
  }

  /** Renders on, up to a piece: MORE, DONE, WAIT or LOST. */
  render(writer: ByteWriter): number {
    const full = writer.length + PIECE_BYTES;
    for (let looked = 0; looked < PIECE_MESSAGES && writer.length < full; looked++) {
      const part = this.#parts[this.#part];
      if (part === undefined) return DONE;
      const outcome = part.reader.next(message);
      if (outcome === BUSY) return WAIT;
      const before = outcome === FOUND ? Math.min(part.until, message.id - 1) : part.until;
      if (!this.#isWhole(part, before)) return LOST;
      // What came after the mark is for the next poll.
      const isOver = outcome !== FOUND || message.id > part.until || isAfter(message, this.#mark);
      if (isOver) this.#part++;
      else this.#take(part, writer);
    }
    return this.#part < this.#parts.length ? MORE : DONE;
  }

  /** Counts what is missing up to and including `before`. False: it is too late to tell of it. */
  #isWhole(part: Part, before: number): boolean {
    const after = Math.max(part.reader.lastId, part.owedAfter);
    const missing = before > after ? this.#store.positions.missedBetween(part.seat.index, after, before) : 0;
    if (missing === 0) return true;
    part.missed += missing;
    return !this.#isToldOf;
  }

  #take(part: Part, writer: ByteWriter): void {
    part.reader.accept(message);
    if (message.id <= part.owedAfter && (message.flags & FLAG_STORED) === 0) return;
    message.channel = part.seat.name;
    if (this.#isJsonp && this.count > 0) pushJsonpComma(writer);
    this.#format.message(writer, message, this.#nobody, null);
    this.count++;
  }
}

/**
 * 0: the channel is gone, and what is said of its record is said of another one. Pairs with retireChannel.
 */
function untilOf(store: Store, { index, incarnation }: Seat): number {
  const newest = store.publishedCount(index);
  return store.isLive(index, incarnation) ? newest : 0;
}

export const isAfter = (left: Mark, right: Mark): boolean =>
  left.time > right.time || (left.time === right.time && left.tag > right.tag);
