/**
 * A long poll that waits (push-stream spec 4.12 (6)): made by poll.ts, which also writes its answer. It is
 * also what is told when the client goes away, so it is one object in all its roles.
 */
import { type Format, toldCount } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { kept, listOf, type OneOrMany } from "../fanout/one-or-many.ts";
import { type WaitingPoll, WaitingSubscription } from "../fanout/waiting.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import type { Message } from "../store/message/message-view.ts";
import type { Missing } from "../wire/gap-field.ts";
import { lostOf, type Start } from "./asked.ts";
import type { Held } from "./hub.ts";
import type { Line } from "./line.ts";
import type { PollEndpoint } from "./poll.ts";
import { nowSec } from "./poll-fields.ts";
import type { Mark } from "./poll-reading.ts";
import type { Presentation } from "./presentation.ts";
import type { Timed } from "./timer-wheel.ts";

/** Where the answer goes: a promise, or a door that takes it itself. */
export interface Resolvable {
  resolve(response: Response): void;
}

/** The answer that is waited for. */
export interface Waiter {
  readonly later: Resolvable;
  readonly line: Line | null;
  readonly presentation: Presentation;
}

/** The pump looks oftener. */
const OWED_MS = 50;
const NOWHERE = { afterId: 0, historyUntil: 0 };

/** In a function of its own: the engine makes what a closure needs whenever what it stands in is called. */
const releaseOf = (line: Line | null): (() => void) | null => (line === null ? null : () => line.release());

/**
 * One waiting long poll: answered once, by a message, by its ttl, by a drain, or not at all when the client
 * leaves. It has twelve fields and is 112 bytes; with one more it would be 160.
 */
export class HeldPoll implements WaitingPoll, Held, Timed, Standing {
  #standing: OneOrMany<WaitingSubscription>;
  nextTimed: Timed | null = null;
  previousTimed: Timed | null = null;
  dueTick = 0;
  heldAt = -1;
  readonly #endpoint: PollEndpoint;
  readonly #later: Resolvable;
  readonly #presentation: Presentation;
  /** What its position alone told to be missing. */
  readonly #lost: readonly Missing[];
  /**
   * Time and tag of the newest message when it began to wait (of a cluster: that this node had read). Two
   * numbers, not an object: there may be ten thousand of these.
   */
  readonly #sinceSec: number;
  readonly #sinceTag: number;
  /** Told of its end, for whatever reason. */
  #departure: (() => void) | null;

  constructor(
    endpoint: PollEndpoint,
    channels: readonly LocalChannel[],
    starts: readonly Start[],
    { later, line, presentation }: Waiter,
  ) {
    this.#endpoint = endpoint;
    this.#later = later;
    this.#departure = releaseOf(line);
    this.#presentation = presentation;
    this.#lost = lostOf(channels, starts);
    this.#standing = kept(
      channels.map((channel, i) => {
        const { afterId, historyUntil } = starts[i] ?? NOWHERE;
        // Nothing of the history is stored, or the poll would not wait.
        return new WaitingSubscription(channel, this, Math.max(afterId, historyUntil));
      }),
    );
    const { hub } = endpoint;
    // What comes from here on answers it.
    const { sec, tag } = hub.store.positions.clock;
    this.#sinceSec = sec;
    this.#sinceTag = tag;
    if (endpoint.ttlMs > 0) hub.timers.add(this, endpoint.ttlMs);
    hub.held.add(this);
    hub.fanout.joinPoll(this);
  }

  get subscriptions(): readonly WaitingSubscription[] {
    return listOf(this.#standing);
  }
  set subscriptions(list: readonly WaitingSubscription[]) {
    this.#standing = kept(list);
  }

  get format(): Format {
    return this.#endpoint.format;
  }

  /** It waits from now on, or was answered in this very turn. */
  tellArrival(arrival: Arrival, names: readonly Uint8Array[]): void {
    const departure = arrival(names, this);
    if (this.subscriptions.length === 0) {
      departure();
      return;
    }
    const before = this.#departure;
    this.#departure = () => {
      before?.();
      departure();
    };
  }

  /** On Bun's door: the request was aborted. */
  handleEvent(): void {
    this.#leave();
  }

  clientLeft(): void {
    this.#leave();
  }

  /** What came before `m` and was evicted before this worker could read it is told in the head. */
  answer({ channel, sentId }: WaitingSubscription, m: Message, body: Uint8Array): void {
    const missed = m.id > sentId + 1 ? this.#missed(channel, sentId, m.id - 1) : 0;
    const missing = missed === 0 ? this.#lost : [...this.#lost, { channel: channel.name, missed }];
    this.#leave();
    this.#later.resolve(this.#endpoint.wrap(m, body, this.#presentation, missing));
  }

  goAway(): void {
    if (this.subscriptions.length === 0) return;
    const missing = [...this.#lost];
    for (const { channel, sentId } of this.subscriptions) {
      const missed = channel.delivered > sentId ? this.#missed(channel, sentId, channel.delivered) : 0;
      if (missed !== 0) missing.push({ channel: channel.name, missed });
    }
    const mark = this.#mark();
    this.#leave();
    this.#later.resolve(this.#endpoint.timedOut(this.#presentation, missing, mark));
  }

  /** Its time is over. What was published before that and not told here yet answers it in a moment. */
  fire(): void {
    if (this.#isOwed()) this.#endpoint.hub.timers.add(this, OWED_MS);
    else this.goAway();
  }

  /**
   * From where its client goes on: now, as the dialect says, where nothing that it is owed can be older. In a
   * cluster this clock may be ahead of the engine's, by which messages are dated.
   */
  #mark(): Mark {
    const { store } = this.#endpoint.hub;
    const now = { time: nowSec(), tag: 0 };
    const since = { time: this.#sinceSec, tag: this.#sinceTag };
    if (store.replica !== null) return since.time === 0 ? now : since;
    // In this order: what is published after the first cannot be older.
    return store.positions.clockIsAt(now.time) && !this.#isOwed() ? now : since;
  }

  /** Something is in the store that the pump has not come to. */
  #isOwed(): boolean {
    const { store } = this.#endpoint.hub;
    return this.subscriptions.some(
      ({ channel }) => !channel.gone && store.publishedCount(channel.index) > channel.delivered,
    );
  }

  /** Answered as if nothing had come: with the next poll its client hears why. */
  dismiss(): void {
    this.goAway();
  }

  #missed({ index }: LocalChannel, after: number, upTo: number): number | null {
    return toldCount(this.#endpoint.hub.fanout.store.positions.missedBetween(index, after, upTo));
  }

  #leave(): void {
    const { hub } = this.#endpoint;
    const [first] = this.subscriptions;
    if (first !== undefined) hub.fanout.leavePoll(first);
    hub.timers.remove(this);
    hub.held.remove(this);
    this.#departure?.();
    this.#departure = null;
  }
}
