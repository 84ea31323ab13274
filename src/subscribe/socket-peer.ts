/**
 * One WebSocket in all its roles: what Bun keeps for the socket, the peer that fan-out knows, and what is
 * timed and drained. What it keeps is in socket-state.ts. Made before the upgrade, seated when the socket
 * opens.
 */
import { placeOf } from "../fanout/local-channel.ts";
import { type TopicPeer, type TopicSubscription, wasOverrun } from "../fanout/topics.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import { CloseCode } from "../http/close-codes.ts";
import { Refusals } from "../http/errors.ts";
import type { PeerSocket } from "../http/peer-socket.ts";
import type { Refusal } from "../http/refusal.ts";
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import { JSON_PING } from "../wire/json-message.ts";
import { MSGPACK_PING } from "../wire/msgpack-message.ts";
import type { Position } from "../wire/position.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import type { Holder } from "./channel-frames.ts";
import { ClientMessages } from "./client-messages.ts";
import type { Farewell } from "./farewell.ts";
import { type Clocked, clockFired, startClock } from "./keep-alive.ts";
import { helloFrame, lostFrame, seatedFrame, standIn } from "./socket-channels.ts";
import { SocketState } from "./socket-state.ts";
import type { Publishing, Speaker } from "./speaker.ts";
import { lifeFor } from "./stream-form.ts";

/** Close frames without a code (push-stream spec 4.13.4). */
const NO_STATUS = 1005;
/** Bun's code for a connection that ended without a close frame. */
const ABNORMAL = 1006;

export class SocketPeer extends SocketState implements TopicPeer, Clocked, Speaker, Standing, Holder {
  opened(socket: PeerSocket): void {
    this.openSocket = socket;
    this.wish?.seat(this.endpoint, this);
  }

  /** It has its channels, and counts as a held connection from here on. */
  hold(publishing: Publishing): void {
    const { hub, location } = this.endpoint;
    hub.held.enter(this);
    startClock(hub.held, this, location.pingMessageIntervalMs, location.subscriberConnectionTtlMs);
    if (publishing !== this.endpoint.asItIs)
      this.needMore.said = new ClientMessages(this.endpoint, this, publishing);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  refuse(refusal: Refusal): void {
    const { hub } = this.endpoint;
    this.forgetWish();
    hub.store.counters.addRefusal(hub.slot, refusal.status);
    // Spec 4.13.3: who names no channel is dropped without a word. Our own protocols say why.
    if (refusal === Refusals.noChannel && this.protocol === "template") this.socket.terminate();
    else this.socket.close(closeCode(refusal), closeReason(refusal));
  }

  /** Header template or hello, old messages, live: in one turn (spec 4.13.3). */
  enter(seats: readonly Seat[], asked: Asked, arrival: Arrival | null): void {
    const { hub, location } = this.endpoint;
    this.forgetWish();
    if (asked.each !== undefined) this.needMore.several = "own";
    if (seats.length > 1 && !this.hasOwnPositions) this.terms = this.endpoint.termsOfSeveral(this.protocol);
    const { wanted, lost } = standIn(this.endpoint, this, seats, asked);
    if (lost.length > 0 && !this.format.tellsGaps) {
      // A template has no words for it. Its client comes back without the position.
      this.closeBehind();
      return;
    }
    const life = lifeFor(hub.store, wanted);
    if (wanted.length > 1 && !this.hasOwnPositions) this.needMore.several = { places: wanted, life };
    if (this.protocol === "template") this.sayUnlessEmpty(location.headerTemplate);
    else if (this.hasOwnPositions) this.say(seatedFrame(this.protocol, "hello", wanted));
    else this.say(helloFrame(this.protocol, wanted, life));
    for (const subscription of lost) this.tellLost(subscription);
    // A send may close the socket; who was not counted in must not be counted out.
    if (!this.isOpen) return;
    this.subscriptions = wanted;
    hub.fanout.joinTopics(this);
    if (arrival !== null && this.subscriptions.length > 0)
      this.needMore.departure = arrival(
        seats.map(({ name }) => name),
        this,
      );
  }

  /** Those whose positions are of all their channels have to keep these. */
  get holder(): Holder | null {
    return this.hasOwnPositions && this.isHeld ? this : null;
  }

  /** A channel that it had from the beginning. */
  left(channel: Uint8Array): void {
    this.more?.departure?.([channel]);
  }

  message(data: string | Buffer): void {
    // Not seated yet, it has no channels to publish to.
    const isEarly = this.wish !== null && this.wish.seats === null;
    const mayPublish = this.endpoint.location.websocketAllowPublish;
    const isNoise = data === "" || (!mayPublish && (isEarly || this.protocol === "template"));
    // Binary frames are for nothing here (spec 4.13.5); on sluice.msgpack.v1 they are the client's frames.
    if (typeof data !== "string" && this.protocol !== "msgpack") this.end(NO_STATUS);
    else if (isEarly && !isNoise) this.end(CloseCode.TRY_AGAIN);
    else if (!isNoise) {
      const more = this.needMore;
      more.said ??= new ClientMessages(this.endpoint, this, this.endpoint.asItIs);
      more.said.take(data);
    }
  }

  get reader(): ClientMessages | null {
    return this.more?.said ?? null;
  }

  heard(): void {
    // Its silence is nobody's business: pings go out by the clock.
  }

  get mayBeSilent(): boolean {
    return false;
  }

  /** It is cut off for taking nothing. */
  stuck(): void {
    if (this.subscriptions.length > 0) this.#countSlow();
  }

  #countSlow(): void {
    const { hub } = this.endpoint;
    hub.store.counters.add(hub.slot, Counter.CLOSED_SLOW, 1);
  }

  fire(): void {
    clockFired(this.endpoint.hub.held, this, this.endpoint.location.pingMessageIntervalMs);
  }

  expire(): void {
    this.#finish(this.#codeOf(CloseCode.GOING_AWAY));
  }

  dismiss(why: "ended" | "revoked"): void {
    const isEnded = why === "ended";
    const reason = closeReason(isEnded ? Refusals.tokenExpired : Refusals.tokenRevoked);
    this.end(isEnded ? CloseCode.GRANT_ENDED : CloseCode.GRANT_REVOKED, reason);
  }

  drained(): void {
    this.endpoint.hub.fanout.socketDrained(this);
  }

  /** The socket has closed, for whatever reason. */
  closed(code: number): void {
    // What was unsent is gone by now: getBufferedAmount() says 0.
    const nowMs = performance.now();
    if (code === ABNORMAL && this.subscriptions.some((each) => wasOverrun(each, nowMs))) this.#countSlow();
    this.#leave(false);
  }

  /** Spec 8.2: footer, close frame. It says whether somebody else is there already. */
  goAway(farewell: Farewell): void {
    this.#finish(this.#codeOf(farewell.isReload ? CloseCode.SERVICE_RESTART : CloseCode.GOING_AWAY));
  }

  /**
   * A client that is to come back hears so: libraries take an end without a code for the end. The module
   * sends none (spec 4.13.4).
   */
  #codeOf(code: number): number {
    return this.protocol === "template" && this.endpoint.location.moduleFields ? NO_STATUS : code;
  }

  closeBehind(): void {
    this.#countSlow();
    this.end(CloseCode.TRY_AGAIN);
  }

  channelDeleted(): void {
    if (this.subscriptions.length === 0 && !this.hasOwnPositions) this.#finish(NO_STATUS);
  }

  #finish(code: number): void {
    if (this.protocol === "template") this.sayUnlessEmpty(this.endpoint.location.footerTemplate);
    this.end(code);
  }

  end(code: number, reason?: string): void {
    this.#leave(true);
    this.socket.close(code, reason);
  }

  #leave(socketOpen: boolean): void {
    this.endpoint.hub.held.remove(this);
    this.endpoint.hub.fanout.leaveTopics(this, socketOpen);
    this.more?.leave();
  }

  channelAt(place: number): NamedChannel | undefined {
    const expected = this.wish?.seats ?? null;
    return expected === null ? this.subscriptions[place]?.channel : expected[place];
  }

  /**
   * One of several channels that was deleted keeps its place, or the places behind it would mean other
   * channels.
   */
  place(): Position {
    const several = this.more?.several ?? null;
    if (several !== null && several !== "own") return placeOf(several.life, several.places);
    return placeOf(lifeFor(this.endpoint.hub.store, this.subscriptions), this.subscriptions);
  }

  tellLost(subscription: TopicSubscription): void {
    const frame = lostFrame(this, subscription);
    if (frame === null) return;
    this.endpoint.hub.fanout.standing.gapTold(1);
    this.say(frame);
  }

  /**
   * A ping frame keeps proxies and peers awake; the sluice protocols repeat it as data, because browsers hide
   * ping frames.
   */
  ping(): void {
    this.socket.ping();
    if (this.protocol === "json") this.say(JSON_PING);
    else if (this.protocol === "msgpack") this.say(MSGPACK_PING);
  }

  sayUnlessEmpty(text: string): void {
    if (text !== "") this.say(text);
  }

  say(payload: string | Uint8Array): void {
    this.socket.send(payload);
  }
}
