/**
 * One subscriber location, compiled: what plugin.ts hands requests to. Steps and their order are those of
 * push-stream spec 4.1; the modes themselves are in stream.ts, poll.ts and websocket.ts.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { decodeOnce } from "../config/location/variables.ts";
import type { LocationConfig, SubscriberMode } from "../config/model.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import { headerOnly, refuse, SERVER } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { type Callback, callbackOf } from "../wire/jsonp.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import type { Hub } from "./hub.ts";
import { Inquiry } from "./inquiry.ts";
import type { IdleTimer } from "./line.ts";
import { FramesEndpoint } from "./own-frames.ts";
import { countRefusal } from "./own-positions.ts";
import { PollEndpoint, type PollVisit } from "./poll.ts";
import { Presenter } from "./presentation.ts";
import { StreamEndpoint } from "./stream.ts";
import { type Upgrader, WebSocketEndpoint } from "./websocket.ts";

const EMPTY = { "Content-Length": "0" };
/** To those who come while the worker goes. */
const LEAVE = { "Retry-After": "1", Connection: "close" };

export class SubscriberEndpoint {
  readonly #hub: Hub;
  readonly #mode: SubscriberMode;
  readonly #inquiry: Inquiry;
  readonly #presenter: Presenter;
  readonly #streams: StreamEndpoint;
  readonly #polls: PollEndpoint;
  readonly #sockets: WebSocketEndpoint;
  readonly #frames: FramesEndpoint;

  constructor(hub: Hub, location: LocationConfig, mode: SubscriberMode, hooks: LocationHooks | null = null) {
    this.#hub = hub;
    this.#mode = mode;
    const isEventSource = mode === "eventsource";
    this.#inquiry = new Inquiry(hub, location);
    this.#presenter = new Presenter(location, isEventSource);
    this.#streams = new StreamEndpoint(hub, location, isEventSource, this.#presenter, hooks);
    this.#polls = new PollEndpoint(hub, location, isEventSource, this.#presenter, hooks);
    this.#frames = new FramesEndpoint(hub, location, mode === "long-polling", hooks);
    this.#sockets = new WebSocketEndpoint(hub, location, this.#inquiry, hooks);
  }

  handle(located: LocatedRequest, server: (Upgrader & IdleTimer) | null): Answer | Promise<Answer> {
    if (this.#mode === "websocket") return this.#sockets.handle(located, server);
    const { method } = located.request;
    const cors = this.#presenter.cors(located);
    if (method === "OPTIONS") return new Response(null, { headers: { ...SERVER, ...EMPTY, ...cors } });
    if (method !== "GET") return headerOnly(405, { Allow: "GET", ...cors });
    const frames = this.#framesOf(located);
    if (frames !== null) return this.#openFrames(frames, located, server);
    const mode = this.#modeOf(located);
    if (this.#hub.draining && mode === "eventsource") return this.#streams.sendAway(located);
    const isHeld = mode === "streaming" || mode === "eventsource";
    const callback: Callback = isHeld ? "none" : callbackOf(located.rawQuery, decodeOnce);
    // Before a channel is made for it.
    if (callback === "unsafe") return headerOnly(400, cors);
    const mayMake = mode === "polling" ? "no" : this.#inquiry.mayMake(located);
    const seats = this.#inquiry.admit(this.#inquiry.path(located), mayMake);
    if (seats === Refusals.busy) return this.#later(located, server, mode);
    if ("status" in seats) return this.#refuse(seats, located, mode);
    const visit = { located, callback: callback === "none" ? null : callback.name };
    const isExact = isHeld && this.#streams.isPositioned;
    const asked = this.#hub.backlog.find(seats, this.#inquiry.asked(located), isExact);
    if (asked instanceof Promise)
      return asked.then((found) => this.#serve(mode, seats, found, visit, server));
    return this.#serve(mode, seats, asked, visit, server);
  }

  #serve(
    mode: SubscriberMode,
    seats: readonly Seat[],
    asked: Asked,
    visit: PollVisit,
    server: IdleTimer | null,
  ): Answer | Promise<Answer> {
    if (asked.isAhead === true) return this.#refuse(Refusals.nodeBehind, visit.located, mode);
    if (mode === "polling") return this.#polls.poll(seats, asked, visit);
    const { located } = visit;
    if (this.#hub.draining) {
      if (mode === "eventsource") return this.#streams.sendAway(located);
      return refuse(Refusals.draining, { ...LEAVE, ...this.#presenter.cors(located) });
    }
    if (mode === "long-polling") return this.#polls.longPoll(seats, asked, visit, server);
    return this.#streams.open(seats, asked, located, server);
  }

  /** null: it wants none, or would get an answer at once. */
  #framesOf(located: LocatedRequest): Asked | null {
    return this.#mode === "polling" ? null : this.#inquiry.askedFrames(located);
  }

  /** The client reads the status, so nobody is turned away in other words. */
  #openFrames(
    frames: Asked,
    located: LocatedRequest,
    server: (Upgrader & IdleTimer) | null,
  ): Answer | Promise<Answer> {
    if (this.#hub.draining) return refuse(Refusals.draining, { ...LEAVE, ...this.#presenter.cors(located) });
    const seats = this.#inquiry.admit(this.#inquiry.path(located), this.#inquiry.mayMake(located));
    if (seats === Refusals.busy) return this.#later(located, server, "streaming");
    const refusal = "status" in seats ? seats : countRefusal(frames, seats);
    if (refusal !== null || "status" in seats)
      return this.#refuse(refusal ?? Refusals.noChannel, located, "streaming");
    const asked = this.#hub.backlog.find(seats, frames, true);
    return asked instanceof Promise
      ? asked.then((found) => this.#frames.open(seats, found, located, server))
      : this.#frames.open(seats, asked, located, server);
  }

  /** Another process keeps the store's lock, which a new channel needs: again when it comes free, or 503. */
  async #later(
    located: LocatedRequest,
    server: (Upgrader & IdleTimer) | null,
    mode: SubscriberMode,
  ): Promise<Answer> {
    const isFree = await this.#hub.store.patience.free(located);
    return isFree ? await this.handle(located, server) : this.#refuse(Refusals.busy, located, mode);
  }

  /** Spec 4.2: a header may ask for a poll instead; a long-polling location stays one. */
  #modeOf(located: LocatedRequest): SubscriberMode {
    const asked = located.header("x-nginx-pushstream-mode")?.toLowerCase();
    if (asked === "long-polling") return "long-polling";
    return asked === "polling" && this.#mode !== "long-polling" ? "polling" : this.#mode;
  }

  #refuse(refusal: Refusal, located: LocatedRequest, mode: SubscriberMode): Response {
    this.#hub.store.counters.addRefusal(this.#hub.slot, refusal.status);
    const away = mode === "eventsource" ? this.#streams.turnAway(located, refusal) : null;
    return away ?? refuse(refusal, this.#presenter.cors(located));
  }

  /**
   * For a refusal of the whole worker, before anybody looks at what is asked for; null: it is told by its
   * status.
   */
  turnAway(located: LocatedRequest, refusal: Refusal): Response | null {
    const isOurs = located.method !== "GET" || this.#framesOf(located) !== null;
    if (isOurs || this.#modeOf(located) !== "eventsource") return null;
    return this.#streams.turnAway(located, refusal);
  }
}
