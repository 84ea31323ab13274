/**
 * Frames over HTTP, for clients that ask with `sluice_positions` (own-positions.ts): those of sluice.json.v1,
 * each the data of an event, so that whoever reads a WebSocket can read these as well. On streaming and
 * eventsource locations the answer goes on; on long-polling ones it ends once something was told. Locations'
 * templates have no say here.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import type { Format } from "../fanout/format.ts";
import { StreamSubscription } from "../fanout/local-channel.ts";
import type { StreamConnection, StreamKeeper } from "../fanout/streams.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import { CloseCode } from "../http/close-codes.ts";
import { type Answer, HeldAnswer } from "../http/direct-answer.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { JSON_PING } from "../wire/json-message.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import { type Farewell, retryMs } from "./farewell.ts";
import { shelfOf } from "./format-shelf.ts";
import { GzippedStream, HeldStream, OnceStream } from "./held-stream.ts";
import type { Hub } from "./hub.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import { Presenter } from "./presentation.ts";
import { seatedFrame } from "./socket-channels.ts";
import { type HeldForm, reopened, type Wish } from "./stream-form.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** In the query of a client that is new here, and knows its positions from elsewhere. */
const WANTS_HELLO = "sluice_hello";

const event = (frame: string): Uint8Array<ArrayBuffer> => encoder.encode(`data: ${frame}\n\n`);
const PING = event(JSON_PING);

class FramesForm implements HeldForm {
  readonly footer = NOTHING;
  readonly ping = PING;
  readonly hub: Hub;
  readonly format: Format;
  readonly location: LocationConfig;
  readonly isOnce: boolean;
  readonly pingMs: number;
  readonly ttlMs: number;

  constructor(hub: Hub, location: LocationConfig, isOnce: boolean) {
    this.hub = hub;
    this.format = shelfOf(hub.store).frames(location.presence !== null).eventFrames;
    this.location = location;
    this.isOnce = isOnce;
    this.pingMs = isOnce ? 0 : location.pingMessageIntervalMs;
    this.ttlMs = isOnce ? location.longpollingConnectionTtlMs : location.subscriberConnectionTtlMs;
  }

  get keeper(): StreamKeeper {
    return this.hub.fanout;
  }

  /**
   * As StreamForm does. Whoever polls knows where it is, unless it is the first time or something is to tell.
   */
  seat(held: StreamConnection, { seats, asked, wantsHello }: Wish): Uint8Array {
    const { fanout, store, backlog } = this.hub;
    const writer = new ByteWriter(256);
    const stood: StreamSubscription[] = [];
    let isNew = !this.isOnce || wantsHello === true || asked.each?.length === 0;
    seats.forEach((seat, place) => {
      const standing = store.isLive(seat.index, seat.incarnation) ? seat : reopened(store, seat);
      if (standing === null) return;
      const start = backlog.start(standing, place, asked, true);
      const channel = fanout.channel(standing);
      const subscription = new StreamSubscription(channel, held, start.afterId, start.historyUntil);
      backlog.followPresence(subscription, standing, place, asked, held.format);
      stood.push(subscription);
      if (asked.each?.[place]?.token === null) isNew = true;
      if (!start.unknown) return;
      held.format.gap(writer, channel, null, subscription.sentId, null);
      fanout.standing.gapTold(1);
    });
    held.subscriptions = stood.length < seats.length ? [] : stood;
    const hello = isNew ? event(String(seatedFrame("json", "hello", held.subscriptions))) : NOTHING;
    return Buffer.concat([hello, writer.view()]);
  }

  lastBytes(farewell: Farewell): Uint8Array<ArrayBuffer> {
    const code = farewell.isReload ? CloseCode.SERVICE_RESTART : CloseCode.GOING_AWAY;
    return event(JSON.stringify({ kind: "closing", code, retry: retryMs(farewell) }));
  }

  dismissal(why: "ended" | "revoked"): Uint8Array<ArrayBuffer> {
    const code = why === "ended" ? CloseCode.GRANT_ENDED : CloseCode.GRANT_REVOKED;
    return event(JSON.stringify({ kind: "closing", code }));
  }
}

export class FramesEndpoint {
  readonly #form: FramesForm;
  readonly #presenter: Presenter;
  readonly #hooks: LocationHooks | null;
  readonly #neverIdle: boolean;

  constructor(hub: Hub, location: LocationConfig, isOnce: boolean, hooks: LocationHooks | null) {
    this.#form = new FramesForm(hub, location, isOnce);
    this.#presenter = new Presenter(location, true);
    this.#hooks = hooks;
    this.#neverIdle = isNeverIdle(hub.idleSec * 1000, this.#form.pingMs, this.#form.ttlMs);
  }

  open(seats: readonly Seat[], asked: Asked, located: LocatedRequest, server: IdleTimer | null): Answer {
    const { heldInit, isGzip } = this.#presenter.held(located, null);
    const { idleSec } = this.#form.hub;
    const isWatched = !this.#neverIdle && server !== null && !located.isDirect;
    const line = isWatched ? new Line(server, located.request, idleSec) : null;
    const arrival = this.#hooks?.arrival(located) ?? null;
    const wantsHello = located.rawQuery.includes(WANTS_HELLO);
    const wish = { seats, asked, isEventSource: false, arrival, line, wantsHello };
    const Kind = isGzip ? GzippedStream : HeldStream;
    const held = this.#form.isOnce ? new OnceStream(this.#form, wish, isGzip) : new Kind(this.#form, wish);
    return located.isDirect
      ? new HeldAnswer(heldInit, held)
      : new Response(new ReadableStream(held), heldInit);
  }
}
