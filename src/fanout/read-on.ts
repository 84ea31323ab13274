/**
 * Reading on from the store, in order, for subscriptions that are not live: newcomers who asked for old
 * messages, readers that were slow, sockets that wait to enter a topic. It is the same work for all, so it is
 * one loop.
 *
 * Nothing is queued for such a subscription: its place is a Reader, its messages stay in the store. What the
 * store has evicted meanwhile shows as a jump in the ids and is told as a gap (promises P2 to P4).
 */
import { FLAG_PRESENCE, FLAG_STORED } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { END, GONE as NO_CHANNEL } from "../store/message/reader.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import { toldCount } from "./format.ts";
import { type LastingSubscription, Reading } from "./local-channel.ts";

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

export interface CatchUpSink<S extends LastingSubscription> {
  /** `subscription.sentId` is already this message's id. False: stop here for now. */
  message(subscription: S, m: Message): boolean;
  /** False: the format has no words for a gap. */
  gap(subscription: S, missed: number | null, upTo: number): boolean;
  /** Absent: presence events are passed over. */
  readonly presence?: PresenceSink<S>;
}

export interface PresenceSink<S extends LastingSubscription> {
  /** Whether its format tells them. */
  isWanted(subscription: S): boolean;
  /** `subscription.sentNumber` is already this event's number. False: stop here for now. */
  event(subscription: S, m: Message): boolean;
  lost(subscription: S, missed: number): void;
}

const message = new Message();

/**
 * Gives the next messages with ids up to `upTo`, and events up to that number, to the sink, at most one
 * batch.
 */
export function readOn<S extends LastingSubscription>(
  store: Store,
  subscription: S,
  upTo: number,
  sink: CatchUpSink<S>,
  upToNumber = Number.MAX_SAFE_INTEGER,
): number {
  const { channel } = subscription;
  const { index, incarnation } = channel;
  if (!store.isLive(index, incarnation)) return GONE;
  const events = store.members !== null && sink.presence?.isWanted(subscription) ? sink.presence : null;
  // Before the first look: what has this id or a smaller one is linked by then, or gone.
  const newest = Math.min(upTo, store.publishedCount(channel.index));
  // Who asks for nothing old needs no reader for that: ten thousand who come at once would leave as many.
  if (events === null && subscription.reading === null && subscription.sentId >= newest) return CAUGHT_UP;
  const from = events === null ? null : subscription.sentNumber;
  subscription.reading ??= new Reading(0);
  const { reading } = subscription;
  reading.reader ??= store.history.reader(index, incarnation, subscription.sentId, from);
  const { reader } = reading;
  const newestNumber =
    events === null ? 0 : Math.min(upToNumber, store.positions.presenceNumber(index, incarnation));
  for (let given = 0; given < MESSAGES_A_BATCH; given++) {
    const isThere = subscription.sentId >= upTo && (events === null || subscription.sentNumber >= upToNumber);
    const outcome = isThere ? END : reader.next(message);
    if (outcome === NO_CHANNEL) return GONE;
    if (outcome === BUSY) return WAIT;
    const isPresence = outcome !== END && (message.flags & FLAG_PRESENCE) !== 0;
    const isBeyond = isPresence ? message.number > upToNumber : message.id > upTo;
    if (outcome === END || isBeyond || message.id > upTo) {
      if (!tellHole(store, subscription, newest, sink)) return UNTELLABLE;
      if (events !== null) tellLost(subscription, newestNumber, events);
      return CAUGHT_UP;
    }
    if (isPresence) {
      if (!tellHole(store, subscription, message.id, sink)) return UNTELLABLE;
      reader.accept(message);
      message.channel = channel.name;
      if (events !== null && !takeEvent(subscription, message, events)) return MORE;
      continue;
    }
    if (!tellHole(store, subscription, message.id - 1, sink)) return UNTELLABLE;
    reader.accept(message);
    subscription.sentId = message.id;
    message.channel = channel.name;
    message.number = subscription.sentNumber;
    const isForOthers = message.id <= reading.historyUntil && (message.flags & FLAG_STORED) === 0;
    if (!isForOthers && !sink.message(subscription, message)) return MORE;
  }
  return MORE;
}

/** False: the sink takes no more for now. Those with lower numbers were before the subscriber came. */
function takeEvent<S extends LastingSubscription>(
  subscription: S,
  m: Message,
  events: PresenceSink<S>,
): boolean {
  if (m.number <= subscription.sentNumber) return true;
  tellLost(subscription, m.number - 1, events);
  subscription.sentNumber = m.number;
  return events.event(subscription, m);
}

/** Events that are gone, up to this number. */
function tellLost<S extends LastingSubscription>(
  subscription: S,
  upTo: number,
  events: PresenceSink<S>,
): void {
  const missed = upTo - subscription.sentNumber;
  if (missed <= 0) return;
  const isFirst = subscription.sentNumber === 0;
  subscription.sentNumber = upTo;
  // Who came before there was anybody has missed nothing that is counted from 0.
  if (!isFirst) events.lost(subscription, missed);
}

/**
 * Tells what is missing between the last id given and `upTo`, inclusive; history has holes that are nobody's
 * loss.
 */
function tellHole<S extends LastingSubscription>(
  store: Store,
  subscription: S,
  upTo: number,
  sink: CatchUpSink<S>,
): boolean {
  const after = Math.max(subscription.sentId, subscription.reading?.historyUntil ?? 0);
  if (upTo > subscription.sentId) subscription.sentId = upTo;
  if (upTo <= after) return true;
  const missed = store.positions.missedBetween(subscription.channel.index, after, upTo);
  return missed === 0 || sink.gap(subscription, toldCount(missed), upTo);
}
