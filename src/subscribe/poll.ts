/**
 * Polling and long polling (push-stream spec 4.12): answered at once when something stored is newer than the client's position; otherwise
 * a poll says 304 and a long poll is held until the first live message on any of its channels.
 */
import { ANTI_CACHE } from "../answer.ts";
import type { LocationConfig } from "../config/model.ts";
import type { Format } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { type WaitingPoll, WaitingSubscription } from "../fanout/waiting.ts";
import { CHANNEL_DELETED_ID, FLAG_STORED } from "../message.ts";
import { Message } from "../store/message-view.ts";
import { RefList } from "../store/refs.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { eventStreamFooter, eventStreamHeader } from "../wire/event-stream.ts";
import { formatHttpDate } from "../wire/http-date.ts";
import type { Seat } from "./admit.ts";
import type { Asked, Start } from "./backlog.ts";
import { EventStreamFormat, TemplateFormat } from "./formats.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import type { Held, Room } from "./room.ts";
import type { Timed } from "./timer-wheel.ts";

const encoder = new TextEncoder();
const ONCE = { once: true };
const BATCH = 256;
const EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8";

/** The position a poll's answer carries: Last-Modified and Etag of spec 4.12 (3). */
interface Mark {
  time: number;
  tag: number;
}

export class PollEndpoint {
  readonly room: Room;
  readonly format: Format;
  readonly ttlMs: number;
  readonly waitingType: string;
  readonly #neverIdle: boolean;
  readonly #type: string;
  readonly #header: Uint8Array;
  readonly #footer: Uint8Array;
  readonly #writer = new ByteWriter();
  readonly #refs = new RefList();
  readonly #message = new Message();

  constructor(room: Room, location: LocationConfig, isEventSource: boolean, key: string) {
    this.room = room;
    const { messageTemplate, headerTemplate, footerTemplate } = location;
    this.format = isEventSource
      ? new EventStreamFormat(`${key}/lpev`, messageTemplate)
      : new TemplateFormat(`${key}/lp`, messageTemplate);
    this.#header = isEventSource ? eventStreamHeader(headerTemplate) : encoder.encode(headerTemplate);
    this.#footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.#type = location.defaultType;
    this.waitingType = isEventSource ? EVENT_STREAM_TYPE : location.defaultType;
    this.ttlMs = location.longpollingConnectionTtlMs;
    this.#neverIdle = isNeverIdle(room.idleSec * 1000, this.ttlMs);
  }

  poll(seats: readonly Seat[], asked: Asked): Response {
    const starts = this.#starts(seats, asked);
    return this.#answerNow(seats, starts, asked) ?? this.#notModified(asked);
  }

  longPoll(
    seats: readonly Seat[],
    asked: Asked,
    request: Request,
    server: IdleTimer | null,
  ): Response | Promise<Response> {
    // From here to the seat is one turn: nothing can be delivered between the starts and the wait.
    const channels = seats.map((seat) => this.room.fanout.channel(seat.index));
    const starts = this.#starts(seats, asked);
    const now = this.#answerNow(seats, starts, asked);
    if (now !== null) return now;
    const line = this.#neverIdle || server === null ? null : new Line(server, request, this.room.idleSec);
    const { promise, resolve } = Promise.withResolvers<Response>();
    request.signal.addEventListener("abort", new HeldPoll(this, channels, starts, resolve, line), ONCE);
    return promise;
  }

  /** 200 with one message, header and footer template around it. */
  wrap(m: Message, body: Uint8Array): Response {
    const deleted = m.id === CHANNEL_DELETED_ID;
    const mark = { time: deleted ? nowSec() : m.time, tag: m.tag };
    return new Response(this.#around(body), { headers: this.#fields(mark, this.waitingType) });
  }

  /** The answer to a long poll that nothing came for (spec 4.10). */
  timedOut(): Response {
    return new Response(null, {
      status: 304,
      headers: { ...this.#fields({ time: nowSec(), tag: 0 }, this.waitingType), "Content-Length": "0" },
    });
  }

  #starts(seats: readonly Seat[], asked: Asked): Start[] {
    return seats.map((seat, place) =>
      this.room.backlog.start(seat.index, place, seat.backtrack, asked, false),
    );
  }

  /**
   * Spec 4.12 (3), (5); null when no channel has anything newer. The mark is found before any message is read, and then every channel is
   * read up to it: what lies before a message that was seen was published before it, so nothing can fall between two polls.
   */
  #answerNow(seats: readonly Seat[], starts: readonly Start[], asked: Asked): Response | null {
    const mark: Mark = { time: asked.time ?? 0, tag: asked.tag ?? -1 };
    seats.forEach((seat, i) => {
      const last = this.#hasStored(seat.index, starts[i]) ? this.#markOf(seat.index) : null;
      if (last !== null && isAfter(last, mark)) Object.assign(mark, last);
    });
    this.#writer.reset();
    this.#writer.pushBytes(this.#header);
    let count = 0;
    seats.forEach((seat, i) => {
      const start = starts[i];
      if (start !== undefined) count += this.#renderStored(seat, start.afterId, mark);
    });
    if (count === 0) return null;
    this.#writer.pushBytes(this.#footer);
    this.room.fanout.delivered(count, this.#writer.length);
    return new Response(this.#writer.copy(), { headers: this.#fields(mark, this.#type) });
  }

  #hasStored(index: number, start: Start | undefined): boolean {
    if (start === undefined) return false;
    this.#refs.clear();
    const { store } = this.room;
    return store.collect(index, store.incarnation(index), start.afterId, false, 1, this.#refs) > 0;
  }

  #renderStored(seat: Seat, afterId: number, until: Mark): number {
    const { store, fanout } = this.room;
    const incarnation = store.incarnation(seat.index);
    const m = this.#message;
    let after = afterId;
    let count = 0;
    for (;;) {
      this.#refs.clear();
      const found = store.collect(seat.index, incarnation, after, false, BATCH, this.#refs);
      for (let i = 0; i < found; i++) {
        if (!store.read(this.#refs.block(i), this.#refs.stamp(i), m)) continue;
        after = m.id;
        if ((m.flags & FLAG_STORED) === 0) continue;
        if (isAfter(m, until)) return count;
        m.channel = seat.name;
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
  #markOf(index: number): Mark | null {
    const { store } = this.room;
    const refs = this.#refs;
    const incarnation = store.incarnation(index);
    refs.clear();
    store.collect(index, incarnation, store.publishedCount(index) - 1, true, 1, refs);
    if (refs.length === 0) store.collectLast(index, incarnation, 1, refs);
    const found = refs.length > 0 && store.readHeader(refs.block(0), refs.stamp(0), this.#message);
    return found ? { time: this.#message.time, tag: this.#message.tag } : null;
  }

  #notModified(asked: Asked): Response {
    const fields: Record<string, string> = {
      ...ANTI_CACHE,
      "Content-Type": this.#type,
      "Content-Length": "0",
    };
    if (asked.time !== null && asked.time > 0) fields["Last-Modified"] = formatHttpDate(asked.time);
    if (asked.tag !== null) fields["Etag"] = `W/${asked.tag}`;
    return new Response(null, { status: 304, headers: fields });
  }

  #fields(mark: Mark, type: string): Record<string, string> {
    return {
      "Content-Type": type,
      "Last-Modified": formatHttpDate(mark.time),
      ...ANTI_CACHE,
      Etag: `W/${Math.max(mark.tag, 0)}`,
    };
  }

  #around(body: Uint8Array): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.#header.length + body.length + this.#footer.length);
    whole.set(this.#header);
    whole.set(body, this.#header.length);
    whole.set(this.#footer, this.#header.length + body.length);
    return whole;
  }
}

/** One waiting long poll: answered once, by a message, by its ttl, by a drain, or not at all when the client leaves. */
class HeldPoll implements WaitingPoll, Held, Timed {
  readonly format: Format;
  readonly subscriptions: WaitingSubscription[] = [];
  nextTimed: Timed | null = null;
  previousTimed: Timed | null = null;
  dueTick = 0;
  heldAt = -1;
  readonly #endpoint: PollEndpoint;
  readonly #resolve: (response: Response) => void;
  readonly #line: Line | null;

  constructor(
    endpoint: PollEndpoint,
    channels: readonly LocalChannel[],
    starts: readonly Start[],
    resolve: (response: Response) => void,
    line: Line | null,
  ) {
    this.#endpoint = endpoint;
    this.format = endpoint.format;
    this.#resolve = resolve;
    this.#line = line;
    channels.forEach((channel, i) => {
      this.subscriptions.push(new WaitingSubscription(channel, this, starts[i]?.afterId ?? 0));
    });
    const { room } = endpoint;
    if (endpoint.ttlMs > 0) room.timers.add(this, endpoint.ttlMs);
    room.held.add(this);
    room.fanout.joinPoll(this);
  }

  /** The request was aborted: its client went away. */
  handleEvent(): void {
    this.#leave();
  }

  answer(m: Message, body: Uint8Array): void {
    this.#leave();
    this.#resolve(this.#endpoint.wrap(m, body));
  }

  goAway(): void {
    if (this.subscriptions.length === 0) return;
    this.#leave();
    this.#resolve(this.#endpoint.timedOut());
  }

  fire(): void {
    this.goAway();
  }

  #leave(): void {
    const { room } = this.#endpoint;
    const [first] = this.subscriptions;
    if (first !== undefined) room.fanout.leavePoll(first);
    this.#line?.release();
    room.timers.remove(this);
    room.held.remove(this);
  }
}

const isAfter = (left: { time: number; tag: number }, right: Mark): boolean =>
  left.time > right.time || (left.time === right.time && left.tag > right.tag);

const nowSec = (): number => Math.floor(Date.now() / 1000);
