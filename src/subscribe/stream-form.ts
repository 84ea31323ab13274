/**
 * What the held streams of one location and one padding group have in common (push-stream spec 4.6, 4.8,
 * 4.9): formats, header, ping, footer, and how they are seated. Made by stream.ts, one for the clients that
 * are not padded and one for each group.
 */

import type { PaddingGroup } from "../config/location/padding.ts";
import type { LocationConfig } from "../config/model.ts";
import type { Format } from "../fanout/format.ts";
import { Life } from "../fanout/life.ts";
import { StreamSubscription, type Subscription } from "../fanout/local-channel.ts";
import type { StreamConnection, StreamKeeper, StreamTerms } from "../fanout/streams.ts";
import type { Arrival } from "../front/location-hooks.ts";
import { PING_ID } from "../message.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import {
  EVENT_STREAM_PING,
  eventStreamFooter,
  eventStreamHeader,
  pushOpening,
} from "../wire/event-stream.ts";
import type { Padding } from "../wire/padding.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import { crowdLine, type Farewell, retryLine } from "./farewell.ts";
import { shelfOf, type TemplateKind } from "./format-shelf.ts";
import type { Hub } from "./hub.ts";
import type { Line } from "./line.ts";
import { serverMessage } from "./server-message.ts";

const encoder = new TextEncoder();
const opened = new ChannelRef();

/** What the request asked for; kept only until the body is pulled. */
export interface Wish {
  readonly seats: readonly Seat[];
  readonly asked: Asked;
  /**
   * The client is an EventSource, as far as its request tells: what it is told first comes as an event
   * (pushOpening).
   */
  readonly isEventSource: boolean;
  /** Of own-frames.ts: it wants to hear at once where it stands, though it polls. */
  readonly wantsHello?: boolean;
  /** null: no hook wants to know. */
  readonly arrival: Arrival | null;
  /** null: nobody ends it for being idle. */
  readonly line: Line | null;
}

/** What held-stream.ts needs to know of its location. */
export interface HeldForm extends StreamTerms {
  readonly hub: Hub;
  readonly location: LocationConfig;
  readonly ping: Uint8Array;
  /** Between two pings, and of its life; 0: none, and no end. */
  readonly pingMs: number;
  readonly ttlMs: number;
  /** Gives what it is sent before everything else; good for this turn. */
  seat(held: StreamConnection, wish: Wish): Uint8Array;
  lastBytes(farewell: Farewell): Uint8Array<ArrayBuffer>;
  dismissal(why: "ended" | "revoked"): Uint8Array<ArrayBuffer>;
}

export class StreamForm implements HeldForm {
  readonly hub: Hub;
  readonly location: LocationConfig;
  readonly footer: Uint8Array;
  readonly ping: Uint8Array;
  readonly #header: Uint8Array;
  /** Whoever comes back is told of a gap by an event, or is told nothing: the head need not say it. */
  readonly tellsLossInside: boolean;
  readonly #isEventSource: boolean;
  readonly #positioned: boolean;
  /** A hole after the position is a loss, not history. */
  readonly #isOwedAll: boolean;
  readonly format: Format;
  readonly #prelude = new ByteWriter(256);

  /**
   * `isSeveral`: of those in several channels. `group` null: no padding. `maxPadding` is the largest of the
   * whole configuration.
   */
  constructor(
    hub: Hub,
    location: LocationConfig,
    isEventSource: boolean,
    isSeveral: boolean,
    group: PaddingGroup | null,
    maxPadding: number,
  ) {
    this.hub = hub;
    this.location = location;
    this.#isEventSource = isEventSource;
    this.#positioned = isEventSource && location.eventIds === "auto";
    this.tellsLossInside = this.#positioned || location.gaps === "ignored";
    this.#isOwedAll = this.#positioned || location.gaps === "told";
    const shelf = shelfOf(hub.store);
    const padding = shelf.padding(isEventSource, group === null ? 0 : maxPadding);
    const { messageTemplate, headerTemplate, footerTemplate } = location;
    const format = (kind: TemplateKind): Format =>
      shelf.padded(kind, messageTemplate, padding, group?.messageMin ?? 0);
    if (!this.#positioned) this.format = format(isEventSource ? "events" : "text");
    else {
      const kind = isSeveral ? "several positioned events" : "positioned events";
      this.format = format(location.presence === null ? kind : `${kind} with presence`);
    }
    const header = isEventSource ? eventStreamHeader(headerTemplate) : encoder.encode(headerTemplate);
    this.#header = paddedHeader(header, padding, group?.headerMin ?? 0);
    this.footer = isEventSource ? eventStreamFooter(footerTemplate) : encoder.encode(footerTemplate);
    this.ping = isEventSource ? EVENT_STREAM_PING : this.#pingOf(hub.config.messages.pingText);
  }

  get keeper(): StreamKeeper {
    return this.hub.fanout;
  }

  /**
   * What a stream that is sent away gets at last. Only clients whose positions are ours are told when to come
   * back.
   */
  lastBytes(farewell: Farewell): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter(this.footer.length + 32);
    if (this.#positioned) writer.pushLatin1(retryLine(farewell));
    writer.pushBytes(this.footer);
    return writer.copy();
  }

  /**
   * The last of a stream whose grant is over. An event source hears an event, with data, as browsers keep one
   * without to themselves (HTML 9.2.6), and without an id, so that it comes back to where it was.
   */
  dismissal(why: "ended" | "revoked"): Uint8Array<ArrayBuffer> {
    const name = why === "ended" ? "expired" : "revoked";
    const writer = new ByteWriter(this.footer.length + 64);
    if (this.#isEventSource) writer.pushLatin1(`event: ${name}\ndata: ${name}\n\n`);
    writer.pushBytes(this.footer);
    return writer.copy();
  }

  /** A whole stream with nothing in it but these lines. */
  nothing(lines: string): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter(256);
    writer.pushBytes(this.#header);
    writer.pushLatin1(lines);
    writer.pushBytes(this.footer);
    return writer.copy();
  }

  get pingMs(): number {
    return this.location.pingMessageIntervalMs;
  }

  get ttlMs(): number {
    return this.location.subscriberConnectionTtlMs;
  }

  /** Seats a stream whose body is being pulled: from here to its place in the live set is one turn. */
  seat(held: StreamConnection, { seats, asked, isEventSource }: Wish): Uint8Array {
    const { fanout, store, backlog } = this.hub;
    const lost: StreamSubscription[] = [];
    const stood: StreamSubscription[] = [];
    seats.forEach((seat, place) => {
      // Deleted between admission and now: it is made again, as for any subscriber who comes a moment later.
      const standing = store.isLive(seat.index, seat.incarnation) ? seat : reopened(store, seat);
      if (standing === null) return;
      const channel = fanout.channel(standing);
      const asIs = backlog.start(standing, place, asked, this.#positioned);
      const start = this.tellsLossInside ? asIs : backlog.behindLoss(standing, asIs).start;
      const historyUntil = this.#isOwedAll ? start.historyUntil : start.newest;
      const subscription = new StreamSubscription(channel, held, start.afterId, historyUntil);
      backlog.followPresence(subscription, standing, place, asked, held.format);
      stood.push(subscription);
      if (start.unknown && held.format.tellsGaps) lost.push(subscription);
    });
    // One of them cannot be made again now: better no stream, which is asked for again, than one that is
    // silent about a channel.
    held.subscriptions = stood.length < seats.length ? [] : stood;
    if (this.#positioned) held.count(lifeFor(store, stood));
    return this.#positioned ? this.#opening(held, lost, isEventSource) : this.#header;
  }

  /** Header, when to come back should the connection break, first position, and what cannot be counted. */
  #opening(held: StreamConnection, lost: readonly StreamSubscription[], isEventSource: boolean): Uint8Array {
    // Shared: fan-out copies it out in the same turn, with the first write.
    const writer = this.#prelude;
    writer.reset();
    writer.pushBytes(this.#header);
    const place = held.place();
    writer.pushLatin1(crowdLine(this.hub.crowd, this.hub.config.drainRate));
    pushOpening(writer, place, isEventSource);
    for (const { channel, sentId } of lost) {
      held.format.gap(writer, channel, null, sentId, held.format.perConnection ? place : null);
      this.hub.fanout.standing.gapTold(1);
    }
    return writer.view();
  }

  /**
   * Spec 4.9: a message with id -1, empty channel, rendered with the location's template and padded like any
   * other (4.8).
   */
  #pingOf(text: string): Uint8Array {
    const writer = new ByteWriter(256);
    this.format.message(writer, serverMessage(PING_ID, text), this.hub.fanout.nobody, null);
    return writer.copy();
  }
}

/** What the tokens of a connection with these subscriptions count. */
export function lifeFor(store: Store, subscriptions: readonly Subscription[]): Life {
  const [only] = subscriptions;
  if (subscriptions.length === 1 && only !== undefined) return only.channel.life;
  return new Life(
    store,
    subscriptions.map(({ channel }) => channel.name),
  );
}

/** null: it cannot be made again. */
export function reopened(store: Store, { name, backtrack }: Seat): Seat | null {
  const index = store.open(name, Math.floor(Date.now() / 1000), opened);
  return index < 0 ? null : { index, incarnation: opened.incarnation, name, backtrack };
}

/** Without a header there is nothing to fill up. */
function paddedHeader(header: Uint8Array, padding: Padding, minLength: number): Uint8Array {
  if (header.length === 0) return header;
  const writer = new ByteWriter(header.length + padding.maxLength);
  writer.pushBytes(header);
  padding.push(writer, header.length, minLength);
  return writer.copy();
}
