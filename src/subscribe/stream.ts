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
import { KeepAlive, needsKeepAlive } from "./keep-alive.ts";
import type { Held, Room } from "./room.ts";

const encoder = new TextEncoder();

export class StreamEndpoint {
  readonly #room: Room;
  readonly #location: LocationConfig;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #oneChannel: Format;
  readonly #severalChannels: Format;
  readonly #positioned: boolean;
  readonly #header: Uint8Array;
  readonly #footer: Uint8Array;
  readonly #ping: Uint8Array;

  constructor(room: Room, location: LocationConfig, isEventSource: boolean, key: string) {
    this.#room = room;
    this.#location = location;
    this.#positioned = isEventSource && location.eventIds === "auto";
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
    this.#footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.#ping = isEventSource ? EVENT_STREAM_PING : pingOf(messageTemplate, room.config.messages.pingText);
    const type = isEventSource ? "text/event-stream; charset=utf-8" : location.defaultType;
    // X-Accel-Buffering: an nginx in front must not hold the stream back.
    this.#headers = { "Content-Type": type, ...ANTI_CACHE, "X-Accel-Buffering": "no" };
  }

  open(seats: readonly Seat[], asked: Asked): Response {
    let held: HeldStream | null = null;
    const body = new ReadableStream({
      type: "direct",
      pull: (controller) => {
        held = this.#seat(controller, seats, asked);
      },
      cancel: () => held?.gone(),
    });
    return new Response(body, { headers: this.#headers });
  }

  #seat(controller: ReadableStreamDirectController, seats: readonly Seat[], asked: Asked): HeldStream {
    const { fanout, store } = this.#room;
    const format = seats.length > 1 ? this.#severalChannels : this.#oneChannel;
    const connection = new StreamConnection(controller, fanout, format, this.#footer);
    const unknown: StreamSubscription[] = [];
    seats.forEach((seat, place) => {
      // Deleted between admission and now: it is made again, as for any subscriber who comes a moment later.
      const index =
        store.find(seat.name) === seat.index
          ? seat.index
          : store.open(seat.name, Math.floor(Date.now() / 1000));
      if (index < 0) return;
      const channel = fanout.channel(index);
      const start = this.#room.backlog.start(index, place, seat.backtrack, asked, this.#positioned);
      const historyUntil = format.tellsGaps ? start.historyUntil : store.publishedCount(index);
      const subscription = new StreamSubscription(channel, connection, start.afterId, historyUntil);
      connection.subscriptions.push(subscription);
      if (start.unknown && format.tellsGaps) unknown.push(subscription);
    });
    connection.prelude = this.#prelude(connection, unknown);
    const held = new HeldStream(this.#room, connection, this.#location, this.#ping);
    fanout.joinStream(connection);
    return held;
  }

  /** Header template, first position, and what cannot be counted. An id without data sets the browser's position in silence. */
  #prelude(connection: StreamConnection, unknown: readonly StreamSubscription[]): Uint8Array | null {
    if (!this.#positioned) return this.#header.length > 0 ? this.#header : null;
    const writer = new ByteWriter(256);
    writer.pushBytes(this.#header);
    const positions = connection.positions();
    writer.pushLatin1("id: ");
    pushPosition(writer, this.#room.store.epoch, positions);
    writer.pushLatin1("\n\n");
    for (const { channel, sentId } of unknown) {
      connection.format.gap(
        writer,
        channel,
        null,
        sentId,
        connection.subscriptions.length > 1 ? positions : null,
      );
      this.#room.fanout.gapTold(1);
    }
    return writer.view();
  }
}

/** What ends or pings a held stream from the server's side. */
class HeldStream implements Held {
  readonly #room: Room;
  readonly #connection: StreamConnection;
  readonly #ping: Uint8Array;
  readonly #keepAlive: KeepAlive | null;

  constructor(room: Room, connection: StreamConnection, location: LocationConfig, ping: Uint8Array) {
    this.#room = room;
    this.#connection = connection;
    this.#ping = ping;
    const { pingMessageIntervalMs: pingEveryMs, subscriberConnectionTtlMs: ttlMs } = location;
    this.#keepAlive = needsKeepAlive(pingEveryMs, ttlMs)
      ? new KeepAlive({
          timers: room.timers,
          pingEveryMs,
          ttlMs,
          subscriptions: connection.subscriptions,
          ping: () => this.#sendPing(),
          expire: () => this.goAway(),
        })
      : null;
    connection.onEnd = () => this.#release();
    room.held.add(this);
  }

  /** Footer, end of body. */
  goAway(): void {
    this.#room.fanout.leaveStream(this.#connection);
    this.#connection.end(this.#connection.footer);
  }

  /** The client closed; Bun has ended the sink. */
  gone(): void {
    this.#connection.closed();
    this.#room.fanout.leaveStream(this.#connection);
  }

  #sendPing(): void {
    if (this.#connection.isLive) this.#connection.send(this.#ping);
  }

  #release(): void {
    this.#keepAlive?.stop();
    this.#room.held.delete(this);
  }
}

/** Spec 4.9: a message with id -1, empty channel, rendered with the location's template. */
function pingOf(template: string, text: string): Uint8Array {
  const writer = new ByteWriter(256);
  compileTemplate(template).render(writer, serverMessage(PING_ID, encoder.encode(text)));
  return writer.copy();
}
