/**
 * Reading on from the store, in order, for subscriptions that are not live: newcomers who asked for old messages, readers that
 * were slow, sockets that wait to enter a topic. It is the same work for all, so it is one loop.
 *
 * Nothing is queued for such a subscription: its place is a Reader, its messages stay in the store. What the store has evicted
 * meanwhile shows as a jump in the ids and is told as a gap (promises P2 to P4).
 */
import { FLAG_STORED } from "../message.ts";
import { Message } from "../store/message-view.ts";
import { BUSY } from "../store/outcome.ts";
import { END, GONE as NO_CHANNEL } from "../store/reader.ts";
import type { Store } from "../store/store.ts";
import { toldCount } from "./format.ts";
import type { Subscription } from "./local-channel.ts";

/** Everything up to `upTo` was given. */
export const CAUGHT_UP = 0;
/** The sink asked to stop, or the batch is full: call again. */
export const MORE = 1;
/** The channel was deleted: what was not read is gone with it. */
export const GONE = 2;
/** The sink cannot tell a gap: the connection must be closed. */
export const UNTELLABLE = 3;
/** Somebody else is in the middle of a change: call again in a moment. */
export const WAIT = 4;

const MESSAGES_A_BATCH = 64;

export interface CatchUpSink<S extends Subscription> {
  /** `subscription.sentId` is already this message's id. False: stop here for now. */
  message(subscription: S, m: Message): boolean;
  /** False: the format has no words for a gap. */
  gap(subscription: S, missed: number | null, upTo: number): boolean;
}

const message = new Message();

/** Gives the next messages with ids up to `upTo` to the sink, at most one batch. */
export function readOn<S extends Subscription>(
  store: Store,
  subscription: S,
  upTo: number,
  sink: CatchUpSink<S>,
): number {
  const { channel } = subscription;
  if (!store.isLive(channel.index, channel.incarnation)) return GONE;
  subscription.reader ??= store.reader(channel.index, channel.incarnation, subscription.sentId);
  const { reader } = subscription;
  // Before the first look: what has this id or a smaller one is linked by then, or gone.
  const newest = Math.min(upTo, store.publishedCount(channel.index));
  for (let given = 0; given < MESSAGES_A_BATCH; given++) {
    const outcome = subscription.sentId >= upTo ? END : reader.next(message);
    if (outcome === NO_CHANNEL) return GONE;
    if (outcome === BUSY) return WAIT;
    if (outcome === END || message.id > upTo) {
      return tellHole(store, subscription, newest, sink) ? CAUGHT_UP : UNTELLABLE;
    }
    if (!tellHole(store, subscription, message.id - 1, sink)) return UNTELLABLE;
    reader.accept(message);
    subscription.sentId = message.id;
    message.channel = channel.name;
    const isForOthers = message.id <= subscription.historyUntil && (message.flags & FLAG_STORED) === 0;
    if (!isForOthers && !sink.message(subscription, message)) return MORE;
  }
  return MORE;
}

/** Tells what is missing between the last id given and `upTo`, inclusive; history has holes that are nobody's loss. */
function tellHole<S extends Subscription>(
  store: Store,
  subscription: S,
  upTo: number,
  sink: CatchUpSink<S>,
): boolean {
  const after = Math.max(subscription.sentId, subscription.historyUntil);
  if (upTo > subscription.sentId) subscription.sentId = upTo;
  if (upTo <= after) return true;
  const missed = store.missedBetween(subscription.channel.index, after, upTo);
  return missed === 0 || sink.gap(subscription, toldCount(missed), upTo);
}
