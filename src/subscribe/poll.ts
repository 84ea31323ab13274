/**
 * Polling and long polling (push-stream spec 4.12): answered at once when something stored is newer than the client's position; otherwise
 * a poll says 304 and a long poll is held until the first live message on any of its channels.
 */
import type { HeaderFields } from "../answer.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import { gzipped } from "../content-coding.ts";
import type { Format } from "../fanout/format.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import { CHANNEL_DELETED_ID, FLAG_STORED, TIMED_OUT_ID } from "../message.ts";
import { Message } from "../store/message-view.ts";
import { RefList } from "../store/refs.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { eventStreamFooter, eventStreamHeader } from "../wire/event-stream.ts";
import { formatHttpDate } from "../wire/http-date.ts";
import { pushJsonpComma, pushJsonpEnd, pushJsonpStart } from "../wire/jsonp.ts";
import type { Seat } from "./admit.ts";
import type { Asked, Start } from "./backlog.ts";
import { chunkedAnswer } from "./chunked-answer.ts";
import { shelfOf } from "./format-shelf.ts";
import { HeldPoll } from "./held-poll.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import type { Presentation, Presenter } from "./presentation.ts";
import type { Room } from "./room.ts";
import { serverMessage } from "./server-message.ts";

const encoder = new TextEncoder();
const ONCE = { once: true };
const BATCH = 256;
/** Spec 4.10. */
const TIMED_OUT_TEXT = "Timed out";

/** The position a poll's answer carries: Last-Modified and Etag of spec 4.12 (3). */
interface Mark {
  time: number;
  tag: number;
}

/** One request for a poll: what its answer depends on besides channels and position. */
export interface PollVisit {
  readonly located: LocatedRequest;
  /** Name of the JSONP callback, which may be empty; null: none. */
  readonly callback: string | null;
}

export class PollEndpoint {
  readonly room: Room;
  readonly format: Format;
  readonly ttlMs: number;
  readonly #presenter: Presenter;
  readonly #gzipLevel: number;
  readonly #neverIdle: boolean;
  readonly #header: Uint8Array;
  readonly #footer: Uint8Array;
  readonly #writer = new ByteWriter();
  readonly #refs = new RefList();
  readonly #message = new Message();
  readonly #hooks: LocationHooks | null;

  constructor(
    room: Room,
    location: LocationConfig,
    isEventSource: boolean,
    presenter: Presenter,
    hooks: LocationHooks | null,
  ) {
    this.#hooks = hooks;
    this.room = room;
    this.#presenter = presenter;
    const { messageTemplate, headerTemplate, footerTemplate } = location;
    this.format = shelfOf(room.store).template(isEventSource ? "events" : "text", messageTemplate);
    this.#header = isEventSource ? eventStreamHeader(headerTemplate) : encoder.encode(headerTemplate);
    this.#footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.#gzipLevel = location.gzip?.level ?? 1;
    this.ttlMs = location.longpollingConnectionTtlMs;
    this.#neverIdle = isNeverIdle(room.idleSec * 1000, this.ttlMs);
  }

  poll(seats: readonly Seat[], asked: Asked, { located, callback }: PollVisit): Response {
    const presentation = this.#presenter.immediate(located, callback);
    const starts = this.#starts(seats, asked);
    return this.#answerNow(seats, starts, asked, presentation) ?? notModified(asked, presentation);
  }

  longPoll(
    seats: readonly Seat[],
    asked: Asked,
    { located, callback }: PollVisit,
    server: IdleTimer | null,
  ): Response | Promise<Response> {
    // From here to the seat is one turn: nothing can be delivered between the starts and the wait.
    const channels = seats.map((seat) => this.room.fanout.channel(seat));
    const starts = this.#starts(seats, asked);
    const now = this.#answerNow(seats, starts, asked, this.#presenter.immediate(located, callback));
    if (now !== null) return now;
    const { request } = located;
    const line = this.#neverIdle || server === null ? null : new Line(server, request, this.room.idleSec);
    const { promise, resolve } = Promise.withResolvers<Response>();
    const presentation = this.#presenter.held(located, callback);
    const poll = new HeldPoll(this, channels, starts, { resolve, line, presentation });
    const arrival = this.#hooks?.arrival(located) ?? null;
    if (arrival !== null) poll.tellArrival(arrival);
    request.signal.addEventListener("abort", poll, ONCE);
    return promise;
  }

  /** 200 with one message, header and footer template around it. */
  wrap(m: Message, body: Uint8Array, presentation: Presentation): Response {
    const isDeletion = m.id === CHANNEL_DELETED_ID;
    const mark = isDeletion ? { time: nowSec(), tag: 0 } : { time: m.time, tag: m.tag };
    return this.#answer(mark, this.#around(body, presentation), presentation);
  }

  /** The answer to a long poll that nothing came for (spec 4.10). */
  timedOut(presentation: Presentation): Response {
    const mark = { time: nowSec(), tag: 0 };
    if (this.room.config.messages.timeoutWithBody) {
      const text = new ByteWriter(256);
      this.format.message(text, serverMessage(TIMED_OUT_ID, TIMED_OUT_TEXT), this.room.fanout.nobody, null);
      return this.#answer(mark, this.#around(text.view(), presentation), presentation);
    }
    return new Response(null, {
      status: 304,
      headers: { ...fieldsOf(mark, presentation), "Content-Length": "0" },
    });
  }

  #starts(seats: readonly Seat[], asked: Asked): Start[] {
    return seats.map((seat, place) => this.room.backlog.start(seat, place, asked, false));
  }

  /**
   * Spec 4.12 (3), (5); null when no channel has anything newer. The mark is found before any message is read, and then every channel is
   * read up to it: what lies before a message that was seen was published before it, so nothing can fall between two polls.
   */
  #answerNow(
    seats: readonly Seat[],
    starts: readonly Start[],
    asked: Asked,
    presentation: Presentation,
  ): Response | null {
    const mark: Mark = { time: asked.time ?? 0, tag: asked.tag ?? -1 };
    seats.forEach((seat, i) => {
      const last = this.#hasStored(seat, starts[i]) ? this.#markOf(seat) : null;
      if (last !== null && isAfter(last, mark)) Object.assign(mark, last);
    });
    this.#writer.reset();
    this.#begin(presentation);
    const isJsonp = presentation.callback !== null;
    let count = 0;
    seats.forEach((seat, i) => {
      const start = starts[i];
      if (start !== undefined) count += this.#renderStored(seat, start.afterId, mark, isJsonp, count);
    });
    if (count === 0) return null;
    this.#finish(presentation);
    this.room.fanout.delivered(count, this.#writer.length);
    return this.#answer(mark, this.#writer.copy(), presentation);
  }

  #hasStored({ index, incarnation }: Seat, start: Start | undefined): boolean {
    if (start === undefined) return false;
    this.#refs.clear();
    const { store } = this.room;
    return store.collect(index, incarnation, start.afterId, false, 1, this.#refs) > 0;
  }

  #renderStored(seat: Seat, afterId: number, until: Mark, isJsonp: boolean, before: number): number {
    const { store, fanout } = this.room;
    const m = this.#message;
    let after = afterId;
    let count = 0;
    for (;;) {
      this.#refs.clear();
      const found = store.collect(seat.index, seat.incarnation, after, false, BATCH, this.#refs);
      for (let i = 0; i < found; i++) {
        if (!store.read(this.#refs.block(i), this.#refs.stamp(i), m)) continue;
        after = m.id;
        if ((m.flags & FLAG_STORED) === 0) continue;
        if (isAfter(m, until)) return count;
        m.channel = seat.name;
        if (isJsonp && before + count > 0) pushJsonpComma(this.#writer);
        this.format.message(this.#writer, m, fanout.nobody, null);
        count++;
      }
      if (found < BATCH) return count;
    }
  }

  /**
   * Time and tag of the channel's newest message, stored or not; once an unstored one has expired, of the newest stored one. Read from the
   * message itself, because the channel's own two words are not written as one.
   */
  #markOf({ index, incarnation }: Seat): Mark | null {
    const { store } = this.room;
    const refs = this.#refs;
    refs.clear();
    store.collect(index, incarnation, store.publishedCount(index) - 1, true, 1, refs);
    if (refs.length === 0) store.collectLast(index, incarnation, 1, refs);
    const found = refs.length > 0 && store.readHeader(refs.block(0), refs.stamp(0), this.#message);
    return found ? { time: this.#message.time, tag: this.#message.tag } : null;
  }

  #around(body: Uint8Array, presentation: Presentation): Uint8Array<ArrayBuffer> {
    this.#writer.reset();
    this.#begin(presentation);
    this.#writer.pushBytes(body);
    this.#finish(presentation);
    return this.#writer.copy();
  }

  /** Spec 4.6: the templates are outside of the callback. */
  #begin({ callback }: Presentation): void {
    this.#writer.pushBytes(this.#header);
    if (callback !== null) pushJsonpStart(this.#writer, callback);
  }

  #finish({ callback }: Presentation): void {
    if (callback !== null) pushJsonpEnd(this.#writer);
    this.#writer.pushBytes(this.#footer);
  }

  /** 200. These bodies are chunked, so none is too short for gzip. */
  #answer(mark: Mark, body: Uint8Array<ArrayBuffer>, presentation: Presentation): Response {
    const fields = fieldsOf(mark, presentation);
    if (!presentation.isGzip) return chunkedAnswer(body, fields);
    return chunkedAnswer(gzipped(body, this.#gzipLevel), { ...fields, "Content-Encoding": "gzip" });
  }
}

function notModified(asked: Asked, { fields }: Presentation): Response {
  const all: Record<string, string> = { ...fields, "Content-Length": "0" };
  if (asked.time !== null && asked.time > 0) all["Last-Modified"] = formatHttpDate(asked.time);
  if (asked.tag !== null) all["Etag"] = `W/${asked.tag}`;
  return new Response(null, { status: 304, headers: all });
}

const fieldsOf = ({ time, tag }: Mark, { fields }: Presentation): HeaderFields => ({
  ...fields,
  "Last-Modified": formatHttpDate(time),
  Etag: `W/${Math.max(tag, 0)}`,
});

const isAfter = (left: { time: number; tag: number }, right: Mark): boolean =>
  left.time > right.time || (left.time === right.time && left.tag > right.tag);

const nowSec = (): number => Math.floor(Date.now() / 1000);
