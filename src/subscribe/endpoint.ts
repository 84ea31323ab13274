/**
 * One subscriber location, compiled: what plugin.ts hands requests to. Steps and their order are those of push-stream spec 4.1; the modes
 * themselves are in stream.ts, poll.ts and websocket.ts.
 */
import { methodNotAllowed, refuse } from "../answer.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { LocationConfig, SubscriberMode } from "../config/model.ts";
import { type Refusal, Refusals } from "../errors.ts";
import { Counter } from "../store/counters.ts";
import { Inquiry } from "./inquiry.ts";
import type { IdleTimer } from "./line.ts";
import { PollEndpoint } from "./poll.ts";
import type { Room } from "./room.ts";
import { StreamEndpoint } from "./stream.ts";
import { type Upgrader, WebSocketEndpoint } from "./websocket.ts";

export class SubscriberEndpoint {
  readonly #room: Room;
  readonly #mode: SubscriberMode;
  readonly #inquiry: Inquiry;
  readonly #streams: StreamEndpoint;
  readonly #polls: PollEndpoint;
  readonly #sockets: WebSocketEndpoint;

  constructor(room: Room, location: LocationConfig, mode: SubscriberMode, key: string) {
    this.#room = room;
    this.#mode = mode;
    this.#inquiry = new Inquiry(room, location);
    this.#streams = new StreamEndpoint(room, location, mode === "eventsource", key);
    this.#polls = new PollEndpoint(room, location, mode === "eventsource", key);
    this.#sockets = new WebSocketEndpoint(room, location, this.#inquiry, key);
  }

  handle(located: LocatedRequest, server: (Upgrader & IdleTimer) | null): Response | Promise<Response> {
    if (this.#mode === "websocket") return this.#sockets.handle(located, server);
    const { method } = located.request;
    if (method === "OPTIONS") return new Response(null, { status: 200, headers: { "Content-Length": "0" } });
    if (method !== "GET") return methodNotAllowed("GET");
    const seats = this.#inquiry.admit(this.#inquiry.path(located));
    if ("status" in seats) return this.#refuse(seats);
    const asked = this.#inquiry.asked(located);
    const mode = this.#modeOf(located);
    if (mode === "polling") return this.#polls.poll(seats, asked);
    if (this.#room.draining) return refuse(Refusals.draining, { "Retry-After": "1", Connection: "close" });
    if (mode === "long-polling") return this.#polls.longPoll(seats, asked, located.request, server);
    return this.#streams.open(seats, asked, located.request, server);
  }

  /** Spec 4.2: a header may ask for a poll instead; a long-polling location stays one. */
  #modeOf(located: LocatedRequest): SubscriberMode {
    const asked = located.header("x-nginx-pushstream-mode")?.toLowerCase();
    if (asked === "long-polling") return "long-polling";
    return asked === "polling" && this.#mode !== "long-polling" ? "polling" : this.#mode;
  }

  #refuse(refusal: Refusal): Response {
    this.#room.store.count(this.#room.slot, Counter.REFUSED, 1);
    return refuse(refusal);
  }
}
