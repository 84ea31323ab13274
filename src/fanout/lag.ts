/**
 * Reading on from the store, in order, for subscriptions that are not live: newcomers who asked for old messages, readers that
 * were slow, sockets that wait to enter a topic. It is the same work for all, so it is one loop.
 *
 * Nothing is queued for such a subscription: its place is one number (`sentId`), its messages stay in the store. What the store has
 * evicted meanwhile shows as a jump in the ids and is told as a gap (promises P2 to P4).
 */
import { FLAG_STORED } from "../message.ts";
import { Message } from "../store/message-view.ts";
import { RefList } from "../store/refs.ts";
import type { Store } from "../store/store.ts";
import type { Subscription } from "./local-channel.ts";

/** Everything up to `upTo` was given. */
export const CAUGHT_UP = 0;
/** The sink asked to stop, or the batch is full: call again. */
export const MORE = 1;
/** The channel was deleted: what was not read is gone with it. */
export const GONE = 2;
/** The sink cannot tell a gap: the connection must be closed. */
export const UNTELLABLE = 3;

const MESSAGES_A_BATCH = 64;

export interface CatchUpSink<S extends Subscription> {
  /** `subscription.sentId` is already this message's id. False: stop here for now. */
  message(subscription: S, m: Message): boolean;
  /** False: the format has no words for a gap. */
  gap(subscription: S, missed: number, upTo: number): boolean;
}

export class StoreReader {
  readonly #refs = new RefList();
  readonly #message = new Message();
  readonly #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  /** Gives the next messages with ids up to `upTo` to the sink, at most one batch. */
  readOn<S extends Subscription>(subscription: S, upTo: number, sink: CatchUpSink<S>): number {
    const { channel } = subscription;
    const refs = this.#refs;
    const newest = Math.min(upTo, this.#store.publishedCount(channel.index));
    refs.clear();
    const count = this.#store.collect(
      channel.index,
      channel.incarnation,
      subscription.sentId,
      true,
      MESSAGES_A_BATCH,
      refs,
    );
    if (count < 0) return GONE;
    for (let i = 0; i < count; i++) {
      // Evicted since collect: the next message, or the end, shows the hole.
      if (!this.#store.read(refs.block(i), refs.stamp(i), this.#message)) return MORE;
      if (this.#message.id > upTo) return this.#hole(subscription, newest, sink) ? CAUGHT_UP : UNTELLABLE;
      this.#message.channel = channel.name;
      const outcome = this.#give(subscription, this.#message, sink);
      if (outcome !== CAUGHT_UP) return outcome;
    }
    if (count === MESSAGES_A_BATCH && subscription.sentId < upTo) return MORE;
    return this.#hole(subscription, newest, sink) ? CAUGHT_UP : UNTELLABLE;
  }

  #give<S extends Subscription>(subscription: S, m: Message, sink: CatchUpSink<S>): number {
    if (m.id <= subscription.sentId) return CAUGHT_UP;
    if (!this.#hole(subscription, m.id - 1, sink)) return UNTELLABLE;
    subscription.sentId = m.id;
    if (m.id <= subscription.historyUntil && (m.flags & FLAG_STORED) === 0) return CAUGHT_UP;
    return sink.message(subscription, m) ? CAUGHT_UP : MORE;
  }

  /** Tells what is missing between the last id given and `upTo`, inclusive; history has holes that are nobody's loss. */
  #hole<S extends Subscription>(subscription: S, upTo: number, sink: CatchUpSink<S>): boolean {
    const owedFrom = Math.max(subscription.sentId, subscription.historyUntil) + 1;
    if (upTo > subscription.sentId) subscription.sentId = upTo;
    return upTo < owedFrom || sink.gap(subscription, upTo - owedFrom + 1, upTo);
  }
}
