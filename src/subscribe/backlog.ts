/**
 * From what a client says it last saw to the id it is to be served after (push-stream spec 4.7, architecture
 * 3 "Position"). Every way of asking — backtrack, time and tag, event id, sluice's own position token — comes
 * down to two numbers per channel.
 *
 * In two steps: `find` does what may take long, before anybody is seated; `start` is called in the very turn
 * in which the subscriber is seated, and costs next to nothing however much is stored.
 */
import { type Format, toldCount } from "../fanout/format.ts";
import type { LastingSubscription } from "../fanout/local-channel.ts";
import type { Turns } from "../fanout/turns.ts";
import { LastSearch } from "../store/message/last-search.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import { AT_PLACE, DISTURBED, Sight } from "../store/message/seek.ts";
import type { Store } from "../store/store.ts";
import { lifeOf, type Position } from "../wire/position.ts";
import type { Seat } from "./admit.ts";
import { isAhead, whenRead } from "./ahead.ts";
import type { Asked, Found, Start } from "./asked.ts";
import { askedAt } from "./own-positions.ts";
import { EventIdSearch, type Search } from "./search.ts";

/** Messages a search looks at before others get their turn: about a tenth of a millisecond. */
const STEPS = 1024;

/** Of another store, of other channels, or of the same in another order. */
const FOREIGN: Position = { life: "", positions: [] };
const isOurs = (token: Position | null): token is Position => token !== null && token !== FOREIGN;

/** An event id belongs to one message: where one channel has it, the others are not said to lack it. */
function settle(found: ReadonlyMap<number, Found>): void {
  const searches = [...found.values()].map(({ search }) => search);
  if (searches.some(({ isInVain }) => !isInVain)) for (const search of searches) search.isInVain = false;
}

const NOWHERE: Start = { afterId: 0, historyUntil: 0, newest: 0, unknown: false };

export class Backlog {
  readonly #store: Store;
  readonly #turns: Turns;
  readonly #sight = new Sight();
  readonly #message = new Message();

  constructor(store: Store, turns: Turns) {
    this.#store = store;
    this.#turns = turns;
  }

  /**
   * Does the searches that `start` needs for these seats. A promise only when one has many messages to look
   * at, or when this node has not read what the position is of (ahead.ts). `exact` as in `start`. Nothing is
   * found for good: a message that comes meanwhile is newer than what was asked for.
   */
  find(seats: readonly Seat[], asked: Asked, exact: boolean): Asked | Promise<Asked> {
    if (asked.each !== undefined) return this.#findEach(seats, asked, exact);
    if (asked.token === null && isAhead(this.#store, asked))
      return whenRead(this.#store, asked).then((isRead) =>
        isRead ? this.#found(seats, asked, exact) : { ...asked, isAhead: true },
      );
    return this.#found(seats, asked, exact);
  }

  #found(seats: readonly Seat[], asked: Asked, exact: boolean): Asked | Promise<Asked> {
    const known = this.#known(seats, asked);
    let found: Map<number, Found> | null = null;
    let isOver = true;
    for (let place = 0; place < seats.length; place++) {
      const seat = seats[place];
      const search = seat === undefined ? null : this.#searchFor(seat, known, exact);
      if (seat === undefined || search === null) continue;
      found ??= new Map<number, Found>();
      found.set(place, { incarnation: seat.incarnation, search });
      isOver = search.run(STEPS) && isOver;
    }
    if (found === null) return known;
    if (!isOver) return this.#searched(known, found);
    settle(found);
    return { ...known, found };
  }

  #findEach(seats: readonly Seat[], asked: Asked, exact: boolean): Asked | Promise<Asked> {
    const each = seats.map((seat, place) => this.find([seat], askedAt(asked, place), exact));
    const known = each.flatMap((found) => (found instanceof Promise ? [] : found));
    if (known.length === each.length) return { ...asked, each: known };
    return Promise.all(each).then((found) => ({ ...asked, each: found }));
  }

  /** A token that counts something else than these channels in this store says nothing of a place in them. */
  #known(seats: readonly Seat[], asked: Asked): Asked {
    const { token } = asked;
    if (token === null) return asked;
    const life = lifeOf(
      this.#store.epoch,
      seats.map(({ name }) => name),
    );
    const isOurs = token.life === life && token.positions.length === seats.length;
    return isOurs ? asked : { ...asked, token: FOREIGN };
  }

  #searchFor({ index, incarnation, backtrack }: Seat, asked: Asked, exact: boolean): Search | null {
    const newest = this.#store.publishedCount(index);
    if (!this.#store.isLive(index, incarnation)) return null;
    if (asked.token !== null && exact) return null;
    if (backtrack > 0) {
      const known = this.#store.history.beforeLastStored(index, incarnation, backtrack, newest);
      return known >= 0 ? null : new LastSearch(this.#store, index, incarnation, backtrack, newest);
    }
    if (asked.eventId === null || isOurs(asked.token)) return null;
    const byTime =
      asked.time === null ? newest : (this.#afterTime(index, incarnation, asked.time, asked.tag) ?? newest);
    // The first that the time selects ends the search.
    const until = byTime === newest ? newest : this.#sight.id;
    const reader = this.#store.history.reader(index, incarnation, 0);
    return new EventIdSearch(reader, asked.eventId, until, byTime);
  }

  async #searched(known: Asked, found: ReadonlyMap<number, Found>): Promise<Asked> {
    for (const { search } of found.values()) {
      await new Promise<void>((resolve) => {
        const goOn = (): void => (search.run(STEPS) ? resolve() : this.#turns.later(search, goOn));
        this.#turns.later(search, goOn);
      });
    }
    settle(found);
    return { ...known, found };
  }

  /**
   * Where to start in one channel. `place` is the channel's place in the request (a token has one position
   * per place). `exact`: the subscriber understands positions, so that a token of another epoch is one, not
   * an event id that looks like it. A browser's EventSource repeats its URL when it reconnects, so there its
   * position beats the backtrack in it, or it would get the last N again instead of what it missed; dialect
   * clients keep the module's order (spec 4.7).
   */
  start(seat: Seat, place: number, asked: Asked, exact: boolean): Start {
    if (asked.each !== undefined) return this.start(seat, 0, askedAt(asked, place), exact);
    const start = this.#find(seat, place, asked, exact);
    // A channel that is gone by now has nothing, whatever its record's next owner has. Pairs with
    // retireChannel.
    return this.#store.isLive(seat.index, seat.incarnation) ? start : NOWHERE;
  }

  #find(seat: Seat, place: number, asked: Asked, exact: boolean): Start {
    const { index, incarnation, backtrack } = seat;
    const newest = this.#store.publishedCount(index);
    const { token, time, tag } = asked;
    if (token !== null && exact) return this.#resume(seat, place, token, newest);
    const found = asked.found?.get(place);
    if (found !== undefined && found.incarnation === incarnation) {
      const { afterId, isInVain } = found.search;
      return {
        afterId,
        historyUntil: newest,
        newest,
        unknown: isInVain && (time === null || this.#hasLost(index, asked)),
      };
    }
    if (backtrack > 0) {
      const known = this.#store.history.beforeLastStored(index, incarnation, backtrack, newest);
      return { afterId: known < 0 ? newest : known, historyUntil: newest, newest, unknown: false };
    }
    if (isOurs(token)) return this.#resume(seat, place, token, newest);
    if (time === null)
      return { afterId: newest, historyUntil: newest, newest, unknown: asked.eventId !== null };
    const afterId = this.#afterTime(index, incarnation, time, tag);
    const unknown = afterId === null || this.#hasLost(index, asked);
    return { afterId: afterId ?? newest, historyUntil: newest, newest, unknown };
  }

  /**
   * Where a subscription begins with presence events, if its format tells them: behind the one that its
   * position names. Whoever names none comes anew, unless he has a position: then, as with a number that is
   * not of this life, all that is left of them is told, and that some are lost.
   */
  followPresence(
    subscription: LastingSubscription,
    { index, incarnation }: Seat,
    place: number,
    asked: Asked,
    format: Format,
  ): void {
    if (!format.presence) return;
    const { channel } = subscription;
    const began = this.#store.positions.presenceBegan(index, incarnation);
    if (channel.deliveredNumber === 0) channel.deliveredNumber = began;
    const newest = this.#store.positions.presenceNumber(index, incarnation);
    const { token } = asked.each === undefined ? asked : askedAt(asked, place);
    const number = token?.numbers?.[asked.each === undefined ? place : 0] ?? 0;
    if (token === null) subscription.sentNumber = newest;
    else subscription.sentNumber = number >= began && number <= newest ? number : began;
  }

  /**
   * For those who can be told in the head of an answer, or not at all: what is missing at the beginning
   * (null: it cannot be counted), and where to start behind it.
   */
  behindLoss({ index, incarnation }: Seat, start: Start): { start: Start; missed: number | null } {
    if (start.unknown) return { start, missed: null };
    if (start.historyUntil > 0 || start.newest === start.afterId) return { start, missed: 0 };
    const reader = this.#store.history.reader(index, incarnation, start.afterId);
    const firstId = reader.next(this.#message, false) === FOUND ? this.#message.id : start.newest + 1;
    const missed = this.#store.positions.missedBetween(
      index,
      start.afterId,
      Math.max(start.afterId, firstId - 1),
    );
    return { start: { ...start, afterId: Math.max(start.afterId, firstId - 1) }, missed: toldCount(missed) };
  }

  #hasLost(index: number, { time, tag }: Asked): boolean {
    return time !== null && this.#store.history.hasLostAfter(index, time, tag);
  }

  #resume(seat: Seat, place: number, token: Position, newest: number): Start {
    const { index } = seat;
    const position = token.positions[place];
    if (this.#store.isClustered && isOurs(token) && position !== undefined)
      return this.#resumeClustered(seat, position, newest);
    const afterId = position === undefined ? Number.NaN : position - this.#store.positions.base(index);
    if (isOurs(token) && afterId >= 0 && afterId <= newest) {
      return { afterId, historyUntil: 0, newest, unknown: false };
    }
    // Everything that is stored came after that other life, so all of it is new to this client.
    return { afterId: 0, historyUntil: newest, newest, unknown: true };
  }

  /**
   * In a cluster a position may be ahead of this node, which then gives what is above it; it may be of a
   * message that a failover lost, which is told; and it may be a moment, of somebody who was given nothing
   * yet.
   */
  #resumeClustered({ index, incarnation }: Seat, position: number, newest: number): Start {
    const store = this.#store;
    const moment = store.positions.momentAt(position);
    if (moment === null) {
      const { afterId, isUnknown } = store.positions.placeAfter(index, position);
      return { afterId, historyUntil: 0, newest: Math.max(newest, afterId), unknown: isUnknown };
    }
    const sight = this.#sight;
    const outcome = store.history.seekTime(index, incarnation, moment.time, moment.tag + 1, sight);
    const afterId = outcome === AT_PLACE ? sight.id - 1 : newest;
    const isLost = moment.isForgotten || store.history.hasLostAfter(index, moment.time, moment.tag);
    const unknown = isLost || outcome === DISTURBED;
    return { afterId, historyUntil: 0, newest, unknown };
  }

  /**
   * The id before the first message that spec 4.7 selects by time and tag; the message with exactly these was
   * seen. null: somebody stands still in the middle of a change, and nobody can say where that is.
   */
  #afterTime(index: number, incarnation: number, time: number, tag: number | null): number | null {
    const sight = this.#sight;
    const newest = this.#store.publishedCount(index);
    const outcome = this.#store.history.seekTime(index, incarnation, time, tag, sight);
    if (outcome !== AT_PLACE) return outcome === DISTURBED ? null : newest;
    const afterId = sight.time === time && sight.tag === tag ? sight.id : sight.id - 1;
    // What only rests is not for newcomers.
    return this.#store.history.hasStoredAfter(index, afterId) ? afterId : newest;
  }
}
