/**
 * `subscribe` and `unsubscribe` frames: channels come to an open WebSocket and go. Whoever adds one is
 * answered where it begins there, in the turn in which it is seated: nothing is lost between the two, and
 * nothing comes twice. Made by client-messages.ts for sockets that say so.
 *
 * One frame after the other, as a channel may be dropped that is still being added.
 */

import type { TopicPeer, TopicSubscription } from "../fanout/topics.ts";
import type { MayMake } from "../front/channel-quota.ts";
import type { Arrival, Departure, Lease, Standing } from "../front/location-hooks.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import {
  jsonAnswer,
  msgpackAnswer,
  type Ref,
  type SubscribeFrame,
  type UnsubscribeFrame,
} from "../wire/client-frame.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import { askedOf, countRefusal } from "./own-positions.ts";
import { seatedFrame, standIn } from "./socket-channels.ts";
import type { Protocol } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

/** How a client adds channels. */
export interface Adding {
  readonly mayMake: MayMake;
  /** null: no hook wants to know. */
  readonly addition: Arrival | null;
}

export const ANYBODY: Adding = { mayMake: "yes", addition: null };

/** The socket, as one whose channels change. */
export interface Holder extends TopicPeer, Standing {
  readonly protocol: Protocol;
  /** null: it has closed. */
  readonly holder: Holder | null;
  /** It is out of a channel that was not added by frame. */
  left(channel: Uint8Array): void;
  tellLost(subscription: TopicSubscription): void;
  say(payload: string | Uint8Array): void;
}

type Frame = SubscribeFrame | UnsubscribeFrame;

/** Of one connection, where requests may have any number. */
const MOST_CHANNELS = 1024;
/** Frames that wait for one that searches, or for a busy store. */
const MAX_WAITING = 64;

export class ChannelFrames {
  readonly #endpoint: WebSocketEndpoint;
  readonly #holder: Holder;
  readonly #lease: Lease | null;
  readonly #adding: Adding;
  readonly #refuse: (refusal: Refusal, ref: Ref) => void;
  /** What must come behind the first of them; null: nothing is under way. */
  #waiting: Frame[] | null = null;
  /** Of channels that were added, where somebody wants to know when they are dropped. */
  readonly #departures = new Map<TopicSubscription, Departure>();

  constructor(
    endpoint: WebSocketEndpoint,
    holder: Holder,
    lease: Lease | null,
    adding: Adding,
    refuse: (refusal: Refusal, ref: Ref) => void,
  ) {
    this.#endpoint = endpoint;
    this.#holder = holder;
    this.#lease = lease;
    this.#adding = adding;
    this.#refuse = refuse;
  }

  take(frame: Frame): void {
    if (this.#waiting === null) this.#begin(frame);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(frame);
    else this.#refuse(Refusals.busy, frame.ref);
  }

  #begin(frame: Frame): void {
    const later = frame.kind === "subscribe" ? this.#subscribe(frame) : this.#unsubscribe(frame);
    if (later !== null) void this.#goOnAfter(later);
  }

  async #goOnAfter(later: Promise<void>): Promise<void> {
    const waiting: Frame[] = [];
    this.#waiting = waiting;
    await later;
    this.#waiting = null;
    // The next one may have to wait as well: then the others wait behind it.
    for (const frame of waiting) this.take(frame);
  }

  #unsubscribe({ channels, ref }: UnsubscribeFrame): null {
    const names = channels.map((name) => Buffer.from(name));
    for (const subscription of [...this.#holder.subscriptions])
      if (names.some((name) => name.equals(subscription.channel.name))) this.#drop(subscription);
    const answer = { kind: "unsubscribed", ref, channels };
    const isPacked = this.#holder.protocol === "msgpack";
    this.#holder.say(isPacked ? msgpackAnswer(answer) : jsonAnswer(answer));
    return null;
  }

  #subscribe(frame: SubscribeFrame): Promise<void> | null {
    const seats = this.#seats(frame);
    if (seats === Refusals.busy) return this.#subscribeLater(frame);
    if ("status" in seats) {
      this.#refuse(seats, frame.ref);
      return null;
    }
    const { backlog } = this.#endpoint.hub;
    const asked = backlog.find(seats, askedOf(frame.positions), true);
    if (asked instanceof Promise) return asked.then((found) => this.#enter(seats, found, frame.ref));
    this.#enter(seats, asked, frame.ref);
    return null;
  }

  /** Another process keeps the store's lock, which a new channel needs. */
  async #subscribeLater(frame: SubscribeFrame): Promise<void> {
    const isFree = await this.#endpoint.hub.store.patience.free(frame);
    if (this.#holder.holder === null) return;
    if (!isFree) this.#refuse(Refusals.busy, frame.ref);
    else await this.#subscribe(frame);
  }

  /** All of the frame, or nothing of it. */
  #seats({ channels, positions }: SubscribeFrame): readonly Seat[] | Refusal {
    const { inquiry, hub } = this.#endpoint;
    const most = hub.config.limits.maxChannelsPerRequest || MOST_CHANNELS;
    if (this.#holder.subscriptions.length + channels.length > most) return Refusals.tooManyChannelsInRequest;
    const path = Buffer.from(channels.join("/")).toString("latin1");
    const parsed = parseChannelsPath(path, 0);
    const names = typeof parsed === "string" ? [] : parsed.names;
    const refusal = this.#lease?.standingRefusalOf(names) ?? null;
    if (refusal !== null) return refusal;
    const seats = inquiry.admit(path, this.#adding.mayMake);
    return "status" in seats ? seats : (countRefusal(askedOf(positions), seats) ?? seats);
  }

  /** Where it stands already it stays as it is, and is told where that is. */
  #enter(seats: readonly Seat[], asked: Asked, ref: Ref): void {
    const holder = this.#holder;
    if (holder.holder === null) return;
    const { wanted, lost } = standIn(this.#endpoint, holder, seats, asked);
    const places = wanted.map((one) => this.#standingIn(one) ?? one);
    const added = wanted.filter((one) => places.includes(one));
    holder.say(seatedFrame(holder.protocol, "subscribed", places, ref));
    for (const subscription of lost) if (added.includes(subscription)) holder.tellLost(subscription);
    // A send may close the socket.
    if (holder.holder === null) return;
    this.#endpoint.hub.fanout.addTopics(holder, added);
    // One that was deleted, and is there again: who was told of the first is told of its end.
    for (const { channel } of added) this.#departed(channel.name);
    const { addition } = this.#adding;
    if (addition === null) return;
    for (const one of added) this.#departures.set(one, addition([one.channel.name], holder));
  }

  #drop(subscription: TopicSubscription): void {
    this.#endpoint.hub.fanout.leaveTopic(subscription);
    this.#departed(subscription.channel.name);
  }

  #departed(name: Uint8Array): void {
    this.#holder.left(name);
    for (const [one, departure] of this.#departures) {
      if (Buffer.compare(one.channel.name, name) !== 0) continue;
      this.#departures.delete(one);
      departure();
    }
  }

  left(): void {
    for (const departure of this.#departures.values()) departure();
    this.#departures.clear();
  }

  #standingIn({ channel }: TopicSubscription): TopicSubscription | undefined {
    return this.#holder.subscriptions.find((one) => one.channel === channel);
  }
}
