/**
 * Held HTTP responses: streaming and eventsource locations (push-stream spec 4.4). The response body is a direct ReadableStream; when Bun
 * first pulls it, the connection is seated, reads its old messages and becomes live in one synchronous turn, so that nothing can come
 * between the two.
 */
import { ANTI_CACHE } from "../answer.ts";
import type { LocationConfig } from "../config/model.ts";
import type { Format } from "../fanout/format.ts";
import { StreamSubscription } from "../fanout/local-channel.ts";
import { StreamConnection } from "../fanout/streams.ts";
import { PING_ID } from "../message.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { EVENT_STREAM_PING, eventStreamFooter, eventStreamHeader } from "../wire/event-stream.ts";
import { pushPosition } from "../wire/position.ts";
import { serverMessage } from "../wire/renderable.ts";
import { compileTemplate } from "../wire/template.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./backlog.ts";
import { EventStreamFormat, PositionedEventStreamFormat, TemplateFormat } from "./formats.ts";
import { type Clocked, clockFired, startClock } from "./keep-alive.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import type { Held, Room } from "./room.ts";
import type { Timed } from "./timer-wheel.ts";

const encoder = new TextEncoder();

export class StreamEndpoint {
  readonly room: Room;
  readonly location: LocationConfig;
  readonly footer: Uint8Array;
  readonly ping: Uint8Array;
  readonly #init: ResponseInit;
  readonly #oneChannel: Format;
  readonly #severalChannels: Format;
  readonly #positioned: boolean;
  readonly #neverIdle: boolean;
  readonly #header: Uint8Array;
  readonly #prelude = new ByteWriter(256);

  constructor(room: Room, location: LocationConfig, isEventSource: boolean, key: string) {
    this.room = room;
    this.location = location;
    this.#positioned = isEventSource && location.eventIds === "auto";
    const { pingMessageIntervalMs, subscriberConnectionTtlMs } = location;
    this.#neverIdle = isNeverIdle(room.idleSec * 1000, pingMessageIntervalMs, subscriberConnectionTtlMs);
    const { messageTemplate, headerTemplate, footerTemplate } = location;
    if (this.#positioned) {
      const { epoch } = room.store;
      this.#oneChannel = new PositionedEventStreamFormat(`${key}/ev1`, messageTemplate, epoch, false);
      this.#severalChannels = new PositionedEventStreamFormat(`${key}/evn`, messageTemplate, epoch, true);
    } else {
      this.#oneChannel = isEventSource
        ? new EventStreamFormat(`${key}/ev`, messageTemplate)
        : new TemplateFormat(`${key}/st`, messageTemplate);
      this.#severalChannels = this.#oneChannel;
    }
    this.#header = isEventSource ? eventStreamHeader(headerTemplate) : encoder.encode(headerTemplate);
    this.footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.ping = isEventSource ? EVENT_STREAM_PING : pingOf(messageTemplate, room.config.messages.pingText);
    const type = isEventSource ? "text/event-stream; charset=utf-8" : location.defaultType;
    // X-Accel-Buffering: an nginx in front must not hold the stream back.
    // One Headers object for all: a literal is read anew, strings and all, for each of ten thousand responses.
    this.#init = { headers: new Headers({ "Content-Type": type, ...ANTI_CACHE, "X-Accel-Buffering": "no" }) };
  }

  open(seats: readonly Seat[], asked: Asked, request: Request, server: IdleTimer | null): Response {
    const format = seats.length > 1 ? this.#severalChannels : this.#oneChannel;
    const line = this.#neverIdle || server === null ? null : new Line(server, request, this.room.idleSec);
    const held = new HeldStream(this, format, { seats, asked }, line);
    return new Response(new ReadableStream(held), this.#init);
  }

  /** Seats a stream whose body Bun has begun to pull: from here to its place in the live set is one turn. */
  seat(held: HeldStream, { seats, asked }: Wish): void {
    const { fanout, store, backlog } = this.room;
    const lost: StreamSubscription[] = [];
    seats.forEach((seat, place) => {
      // Deleted between admission and now: it is made again, as for any subscriber who comes a moment later.
      const known = store.find(seat.name) === seat.index;
      const index = known ? seat.index : store.open(seat.name, Math.floor(Date.now() / 1000));
      if (index < 0) return;
      const channel = fanout.channel(index);
      const start = backlog.start(index, place, seat.backtrack, asked, this.#positioned);
      const historyUntil = held.format.tellsGaps ? start.historyUntil : store.publishedCount(index);
      const subscription = new StreamSubscription(channel, held, start.afterId, historyUntil);
      held.subscriptions.push(subscription);
      if (start.unknown && held.format.tellsGaps) lost.push(subscription);
    });
    held.prelude = this.#positioned ? this.#firstPosition(held, lost) : this.#header;
  }

  /** Header, first position, and what cannot be counted. An id without data sets the browser's position in silence. */
  #firstPosition(held: HeldStream, lost: readonly StreamSubscription[]): Uint8Array {
    // Shared: fan-out copies the prelude out in the same turn, with the first write.
    const writer = this.#prelude;
    writer.reset();
    writer.pushBytes(this.#header);
    const positions = held.positions();
    writer.pushLatin1("id: ");
    pushPosition(writer, this.room.store.epoch, positions);
    writer.pushLatin1("\n\n");
    for (const { channel, sentId } of lost) {
      held.format.gap(writer, channel, null, sentId, held.format.perConnection ? positions : null);
      this.room.fanout.gapTold(1);
    }
    return writer.view();
  }
}

/** What the request asked for; kept only until the body is pulled. */
interface Wish {
  readonly seats: readonly Seat[];
  readonly asked: Asked;
}

/**
 * A held stream in all its roles: the source of Bun's direct ReadableStream, the connection that fan-out writes to, and what is timed
 * and drained. One object, because ten thousand of them are idle most of the time.
 */
class HeldStream extends StreamConnection implements Held, Clocked {
  /** On the prototype, like every field that is the same for all. */
  get type(): "direct" {
    return "direct";
  }
  nextTimed: Timed | null = null;
  previousTimed: Timed | null = null;
  dueTick = 0;
  heldAt = -1;
  lastPingMs = 0;
  endMs = 0;
  #wish: Wish | null;
  readonly #line: Line | null;
  readonly #endpoint: StreamEndpoint;

  constructor(endpoint: StreamEndpoint, format: Format, wish: Wish, line: Line | null) {
    super(endpoint.room.fanout, format, endpoint.footer);
    this.#endpoint = endpoint;
    this.#wish = wish;
    this.#line = line;
  }

  /** Bun calls it once, when the response goes out. */
  pull(controller: ReadableStreamDirectController): void {
    const { room, location } = this.#endpoint;
    const wish = this.#wish;
    if (wish === null) return;
    this.#wish = null;
    this.#endpoint.seat(this, wish);
    this.attach(controller);
    // No channel could be made again since it was admitted: there is nothing to wait for.
    if (this.subscriptions.length === 0) {
      this.end(this.footer);
      return;
    }
    room.held.add(this);
    startClock(room.timers, this, location.pingMessageIntervalMs, location.subscriberConnectionTtlMs);
    room.fanout.joinStream(this);
  }

  /** The client closed; Bun has ended the sink. */
  cancel(): void {
    this.closed();
    this.#endpoint.room.fanout.leaveStream(this);
  }

  /** Footer, end of body. */
  goAway(): void {
    this.#endpoint.room.fanout.leaveStream(this);
    this.end(this.footer);
  }

  fire(): void {
    clockFired(this.#endpoint.room.timers, this, this.#endpoint.location.pingMessageIntervalMs);
  }

  ping(): void {
    if (this.isLive) this.send(this.#endpoint.ping);
  }

  expire(): void {
    this.goAway();
  }

  protected override ended(): void {
    const { room } = this.#endpoint;
    this.#line?.release();
    room.timers.remove(this);
    room.held.remove(this);
  }
}

/** Spec 4.9: a message with id -1, empty channel, rendered with the location's template. */
function pingOf(template: string, text: string): Uint8Array {
  const writer = new ByteWriter(256);
  compileTemplate(template).render(writer, serverMessage(PING_ID, encoder.encode(text)));
  return writer.copy();
}
