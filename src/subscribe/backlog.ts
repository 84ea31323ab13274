/**
 * From what a client says it last saw to the id it is to be served after (push-stream spec 4.7, architecture 3 "Position"). Every way of
 * asking — backtrack, time and tag, event id, sluice's own position token — comes down to two numbers per channel.
 */
import { binaryBytes } from "../config/binary-text.ts";
import { Message } from "../store/message-view.ts";
import { RefList } from "../store/refs.ts";
import type { Store } from "../store/store.ts";
import { parseHttpDate } from "../wire/http-date.ts";
import { type Position, parsePosition, parseTag } from "../wire/position.ts";
import type { Seat } from "./admit.ts";

/** What a request said of its position; null: nothing, or nothing readable. */
export interface Asked {
  readonly time: number | null;
  readonly tag: number | null;
  readonly eventId: Uint8Array | null;
  readonly token: Position | null;
}

/** Where a subscription starts. */
export interface Start {
  /** Serve ids after this one. */
  readonly afterId: number;
  /** Ids up to here are history that was asked for, not owed (see Subscription.historyUntil). */
  readonly historyUntil: number;
  /** The newest id when it was looked at. */
  readonly newest: number;
  /** The position is from another life of the store or channel: what was missed cannot be counted. */
  readonly unknown: boolean;
}

/** Binary strings as the location's values give them; an empty one is absent. */
export function readAsked(time: string, tag: string, eventId: string, maxChannels: number): Asked {
  return {
    time: time === "" ? null : parseHttpDate(time),
    tag: tag === "" ? null : parseTag(tag),
    eventId: eventId === "" ? null : binaryBytes(eventId),
    token: eventId === "" ? null : parsePosition(eventId, maxChannels),
  };
}

const SCAN_BATCH = 1024;

const NOWHERE: Start = { afterId: 0, historyUntil: 0, newest: 0, unknown: false };

export class Backlog {
  readonly #store: Store;
  readonly #refs = new RefList();
  readonly #message = new Message();
  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Where to start in one channel. `place` is the channel's place in the request (a token has one position per place).
   * `exact`: the subscriber understands positions, so that a token of another epoch is one, not an event id that looks like it.
   */
  start(seat: Seat, place: number, asked: Asked, exact: boolean): Start {
    const start = this.#find(seat, place, asked, exact);
    // A channel that is gone by now has nothing, whatever its record's next owner has. Pairs with retireChannel.
    return this.#store.isLive(seat.index, seat.incarnation) ? start : NOWHERE;
  }

  #find(seat: Seat, place: number, asked: Asked, exact: boolean): Start {
    const { index, backtrack } = seat;
    const newest = this.#store.publishedCount(index);
    const { token } = asked;
    // A browser's EventSource repeats its URL when it reconnects: its position must beat the backtrack in it, or it would get the
    // last N again instead of what it missed. Dialect clients keep the module's order (spec 4.7: backtrack wins).
    if (token !== null && exact) return this.#resume(index, place, token, newest);
    if (backtrack > 0) return this.#history(this.#beforeLast(seat, newest), newest);
    if (token !== null && token.epoch === this.#store.epoch) return this.#resume(index, place, token, newest);
    if (asked.eventId === null && asked.time === null) return this.#history(newest, newest);
    return this.#history(this.#scan(seat, asked, newest), newest);
  }

  #history(afterId: number, newest: number): Start {
    return { afterId, historyUntil: newest, newest, unknown: false };
  }

  #resume(index: number, place: number, token: Position, newest: number): Start {
    const position = token.positions[place];
    const afterId = position === undefined ? Number.NaN : position - this.#store.base(index);
    if (token.epoch === this.#store.epoch && afterId >= 0 && afterId <= newest) {
      return { afterId, historyUntil: 0, newest, unknown: false };
    }
    // Everything that is stored came after that other life, so all of it is new to this client.
    return { afterId: 0, historyUntil: newest, newest, unknown: true };
  }

  #beforeLast({ index, incarnation, backtrack }: Seat, newest: number): number {
    this.#refs.clear();
    const wanted = Math.min(backtrack, this.#store.storedCount(index));
    const found = this.#store.collectLast(index, incarnation, wanted, this.#refs);
    for (let i = 0; i < found; i++) {
      if (this.#header(i)) return this.#message.id - 1;
    }
    return newest;
  }

  /** The id before the first stored message that spec 4.7 selects; `newest` when it selects none. */
  #scan({ index, incarnation }: Seat, asked: Asked, newest: number): number {
    let after = 0;
    for (;;) {
      this.#refs.clear();
      const found = this.#store.collect(index, incarnation, after, false, SCAN_BATCH, this.#refs);
      if (found <= 0) return newest;
      for (let i = 0; i < found; i++) {
        if (!this.#header(i)) continue;
        const m = this.#message;
        after = m.id;
        if (asked.eventId !== null && hasEventId(m, asked.eventId)) return m.id;
        if (asked.time !== null) {
          if (m.time > asked.time) return m.id - 1;
          if (asked.tag !== null && m.time === asked.time && m.tag >= asked.tag)
            return m.tag === asked.tag ? m.id : m.id - 1;
        }
      }
      if (found < SCAN_BATCH) return newest;
    }
  }

  #header(i: number): boolean {
    return this.#store.readHeader(this.#refs.block(i), this.#refs.stamp(i), this.#message);
  }
}

function hasEventId(m: Message, eventId: Uint8Array): boolean {
  if (m.eventIdLength !== eventId.length) return false;
  for (let i = 0; i < eventId.length; i++) if (m.bytes[i] !== eventId[i]) return false;
  return true;
}
