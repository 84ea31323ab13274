/**
 * Polling and long polling (push-stream spec 4.12): answered at once when something stored is newer than the
 * client's position; otherwise a poll says 304 and a long poll is held until the first live message on any of
 * its channels.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import { type Format, toldCount } from "../fanout/format.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import type { HeaderFields } from "../http/answer.ts";
import { gzipped } from "../http/content-coding.ts";
import type { Answer } from "../http/direct-answer.ts";
import { CHANNEL_DELETED_ID, TIMED_OUT_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import { Sight } from "../store/message/seek.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { eventStreamFooter, eventStreamHeader } from "../wire/event-stream.ts";
import type { Missing } from "../wire/gap-field.ts";
import { pushJsonpEnd, pushJsonpStart } from "../wire/jsonp.ts";
import type { Seat } from "./admit.ts";
import { type Asked, lostOf, type Start } from "./asked.ts";
import { type Continued, chunkedAnswer } from "./chunked-answer.ts";
import { shelfOf } from "./format-shelf.ts";
import { GzipSink } from "./gzip-sink.ts";
import { HeldPoll, type PollTerms } from "./held-poll.ts";
import type { Hub } from "./hub.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import { nowSec, PollFields } from "./poll-fields.ts";
import { DONE, isAfter, LOST, type Mark, PollReading } from "./poll-reading.ts";
import type { Presentation, Presenter } from "./presentation.ts";
import { serverMessage } from "./server-message.ts";

const encoder = new TextEncoder();
/** Spec 4.10. */
const TIMED_OUT_TEXT = "Timed out";

/** One request for a poll: what its answer depends on besides channels and position. */
export interface PollVisit {
  readonly located: LocatedRequest;
  /** Name of the JSONP callback, which may be empty; null: none. */
  readonly callback: string | null;
}

export class PollEndpoint {
  readonly hub: Hub;
  readonly format: Format;
  readonly ttlMs: number;
  readonly #presenter: Presenter;
  readonly #gzipLevel: number;
  readonly #neverIdle: boolean;
  readonly #header: Uint8Array;
  readonly #footer: Uint8Array;
  readonly #fields: PollFields;
  readonly #writer = new ByteWriter();
  readonly #sight = new Sight();
  readonly #hooks: LocationHooks | null;
  /** Of the last poll that waits: most look alike. */
  #terms: PollTerms | null = null;
  #newest: Readonly<Mark> = { time: 0, tag: 0 };

  constructor(
    hub: Hub,
    location: LocationConfig,
    isEventSource: boolean,
    presenter: Presenter,
    hooks: LocationHooks | null,
  ) {
    this.#hooks = hooks;
    this.hub = hub;
    this.#presenter = presenter;
    const { messageTemplate, headerTemplate, footerTemplate, moduleFields } = location;
    this.#fields = new PollFields(moduleFields, (count) => hub.fanout.standing.gapTold(count));
    const events = location.eventIds === "auto" ? "whole events" : "events";
    this.format = shelfOf(hub.store).template(isEventSource ? events : "text", messageTemplate);
    this.#header = isEventSource ? eventStreamHeader(headerTemplate) : encoder.encode(headerTemplate);
    this.#footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.#gzipLevel = location.gzip?.level ?? 1;
    this.ttlMs = location.longpollingConnectionTtlMs;
    this.#neverIdle = isNeverIdle(hub.idleSec * 1000, this.ttlMs);
  }

  poll(seats: readonly Seat[], asked: Asked, { located, callback }: PollVisit): Response {
    const presentation = this.#presenter.immediate(located, callback);
    const starts = this.#starts(seats, asked);
    const missing = [...lostOf(seats, starts)];
    const answer = this.#answerNow(seats, starts, asked, presentation, missing);
    this.#passed(located, seats);
    return answer ?? this.#fields.notModified(asked, presentation, missing);
  }

  longPoll(
    seats: readonly Seat[],
    asked: Asked,
    { located, callback }: PollVisit,
    server: IdleTimer | null,
  ): Answer | Promise<Answer> {
    // From here to the seat is one turn: nothing can be delivered between the starts and the wait.
    const channels = seats.map((seat) => this.hub.fanout.channel(seat));
    const starts = this.#starts(seats, asked);
    const immediate = this.#presenter.immediate(located, callback);
    const now = this.#answerNow(seats, starts, asked, immediate, [...lostOf(seats, starts)]);
    if (now !== null) {
      this.#passed(located, seats);
      return now;
    }
    const { request } = located;
    const line =
      this.#neverIdle || server === null || located.isDirect
        ? null
        : new Line(server, request, this.hub.idleSec);
    const terms = this.#termsOf(this.#presenter.held(located, callback));
    const poll = new HeldPoll(terms, channels, starts, line);
    this.#wait(poll, located, seats);
    return located.isDirect ? poll : poll.promise();
  }

  #termsOf(presentation: Presentation): PollTerms {
    if (this.#terms?.presentation !== presentation) this.#terms = { endpoint: this, presentation };
    return this.#terms;
  }

  /** Where the newest message is: one object, until there is another. */
  newest(): Readonly<Mark> {
    const { sec, tag } = this.hub.store.positions.clock;
    if (this.#newest.time !== sec || this.#newest.tag !== tag) this.#newest = { time: sec, tag };
    return this.#newest;
  }

  #passed(located: LocatedRequest, seats: readonly Seat[]): void {
    this.#hooks?.passed?.(
      located,
      seats.map(({ name }) => name),
    );
  }

  #wait(poll: HeldPoll, located: LocatedRequest, seats: readonly Seat[]): void {
    const arrival = this.#hooks?.arrival(located) ?? null;
    if (arrival !== null)
      poll.tellArrival(
        arrival,
        seats.map(({ name }) => name),
      );
    located.whenGone(poll);
  }

  /** 200 with one message, header and footer template around it. */
  wrap(m: Message, body: Uint8Array, presentation: Presentation, missing: readonly Missing[]): Response {
    const isDeletion = m.id === CHANNEL_DELETED_ID;
    const mark = isDeletion ? { time: this.#clockSec(), tag: 0 } : { time: m.time, tag: m.tag };
    return this.#answer(
      this.#around(body, presentation),
      this.#fields.of(mark, presentation, missing),
      presentation,
    );
  }

  /** The answer to a long poll that nothing came for (spec 4.10). `mark`: from where its client goes on. */
  timedOut(presentation: Presentation, missing: readonly Missing[], mark: Readonly<Mark>): Response {
    const fields = this.#fields.of(mark, presentation, missing);
    if (this.hub.config.messages.timeoutWithBody) {
      const text = new ByteWriter(256);
      this.format.message(text, serverMessage(TIMED_OUT_ID, TIMED_OUT_TEXT), this.hub.fanout.nobody, null);
      return this.#answer(this.#around(text.view(), presentation), fields, presentation);
    }
    return new Response(null, { status: 304, headers: { ...fields, "Content-Length": "0" } });
  }

  /** By which messages are dated. */
  #clockSec(): number {
    return this.hub.store.replica?.clock.sec || nowSec();
  }

  #starts(seats: readonly Seat[], asked: Asked): Start[] {
    return seats.map((seat, place) => this.hub.backlog.start(seat, place, asked, false));
  }

  /**
   * Spec 4.12 (3), (5); null when no channel has anything newer. What is found to be missing is added to
   * `missing`. The mark is found before any message is read, and then every channel is read up to it: what
   * lies before a message that was seen was published before it, so nothing can fall between two polls.
   */
  #answerNow(
    seats: readonly Seat[],
    starts: readonly Start[],
    asked: Asked,
    presentation: Presentation,
    missing: Missing[],
  ): Response | null {
    const { store, fanout } = this.hub;
    const mark: Mark = { time: asked.time ?? 0, tag: asked.tag ?? -1 };
    let isAnything = false;
    let isDisturbed = false;
    seats.forEach((seat, i) => {
      const start = starts[i];
      if (start === undefined || !this.#hasMore(seat, start)) return;
      isAnything = true;
      const isSeen = store.history.seeNewest(seat.index, seat.incarnation, this.#sight);
      if (!isSeen) isDisturbed ||= store.publishedCount(seat.index) > start.afterId;
      else if (isAfter(this.#sight, mark))
        Object.assign(mark, { time: this.#sight.time, tag: this.#sight.tag });
    });
    // The newest is being taken out at this moment: as if there were nothing, which keeps the client's place.
    if (isDisturbed) return this.#fields.notModified(asked, presentation, missing);
    if (!isAnything) return null;
    const isJsonp = presentation.callback !== null;
    const look = { format: this.format, nobody: fanout.nobody, isJsonp };
    const reading = new PollReading(store, seats, starts, mark, look);
    this.#writer.reset();
    this.#begin(presentation);
    const outcome = reading.render(this.#writer);
    seats.forEach(({ name }, i) => {
      if (reading.missed(i) > 0) missing.push({ channel: name, missed: toldCount(reading.missed(i)) });
    });
    if (outcome === DONE && reading.count === 0) return null;
    const fields = this.#fields.of(mark, presentation, missing);
    if (outcome === DONE) this.#finish(presentation);
    fanout.standing.delivered(reading.count, this.#writer.length);
    if (outcome === DONE) return this.#answer(this.#writer.copy(), fields, presentation);
    reading.headLeaves();
    return this.#answer(this.#writer.copy(), fields, presentation, this.#restOf(reading, presentation));
  }

  /**
   * Whether there is something for a client that starts there: stored, or resting and owed to it, or told to
   * be missing.
   */
  #hasMore({ index, incarnation }: Seat, { afterId, historyUntil }: Start): boolean {
    const { store } = this.hub;
    const hasMore =
      store.history.hasStoredAfter(index, afterId) ||
      (historyUntil === 0 && store.publishedCount(index) > afterId);
    // Not if the record is another channel's by now. Pairs with retireChannel.
    return hasMore && store.isLive(index, incarnation);
  }

  /** What does not fit the first piece. */
  #restOf(reading: PollReading, presentation: Presentation): Continued {
    const writer = new ByteWriter();
    let isOver = false;
    return {
      next: () => {
        if (isOver) return null;
        const before = reading.count;
        writer.reset();
        const outcome = reading.render(writer);
        if (outcome === LOST)
          throw new Error("messages of this answer were evicted before they could be sent");
        isOver = outcome === DONE;
        if (isOver) this.#end(writer, presentation);
        this.hub.fanout.standing.delivered(reading.count - before, writer.length);
        return writer.length > 0 || isOver ? writer.view() : "wait";
      },
    };
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

  #finish(presentation: Presentation): void {
    this.#end(this.#writer, presentation);
  }

  #end(writer: ByteWriter, { callback }: Presentation): void {
    if (callback !== null) pushJsonpEnd(writer);
    writer.pushBytes(this.#footer);
  }

  /**
   * 200. These bodies are chunked, so none is too short for gzip; what goes on is compressed piece by piece.
   */
  #answer(
    body: Uint8Array<ArrayBuffer>,
    fields: HeaderFields,
    presentation: Presentation,
    rest: Continued | null = null,
  ): Response {
    const { fanout } = this.hub;
    if (!presentation.isGzip) return chunkedAnswer(body, fields, fanout, rest);
    const compressed = { ...fields, "Content-Encoding": "gzip" };
    if (rest === null) return chunkedAnswer(gzipped(body, this.#gzipLevel), compressed, fanout);
    return chunkedAnswer(body, compressed, fanout, rest, (sink) => new GzipSink(sink, this.#gzipLevel));
  }
}
