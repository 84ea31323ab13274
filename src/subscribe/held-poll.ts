/**
 * A long poll that waits (push-stream spec 4.12 (6)): made by poll.ts, which also writes its answer. It is
 * also what is told when the client goes away, so it is one object in all its roles.
 */
import { type Format, toldCount } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { type WaitingPoll, WaitingSubscription } from "../fanout/waiting.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import type { Message } from "../store/message/message-view.ts";
import type { Missing } from "../wire/gap-field.ts";
import { lostOf, type Start } from "./backlog.ts";
import type { Line } from "./line.ts";
import type { PollEndpoint } from "./poll.ts";
import type { Mark } from "./poll-reading.ts";
import type { Presentation } from "./presentation.ts";
import type { Held } from "./room.ts";
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

const NOWHERE = { afterId: 0, historyUntil: 0 };

/**
 * One waiting long poll: answered once, by a message, by its ttl, by a drain, or not at all when the client
 * leaves.
 */
export class HeldPoll implements WaitingPoll, Held, Timed, Standing {
  readonly subscriptions: WaitingSubscription[];
  nextTimed: Timed | null = null;
  previousTimed: Timed | null = null;
  dueTick = 0;
  heldAt = -1;
  readonly #endpoint: PollEndpoint;
  readonly #later: Resolvable;
  readonly #line: Line | null;
  readonly #presentation: Presentation;
  /** What its position alone told to be missing. */
  readonly #lost: readonly Missing[];
  /** Of a cluster: how far this node had read when it began to wait. */
  readonly #since: Mark | null;
  #departure: (() => void) | null = null;

  constructor(
    endpoint: PollEndpoint,
    channels: readonly LocalChannel[],
    starts: readonly Start[],
    { later, line, presentation }: Waiter,
  ) {
    this.#endpoint = endpoint;
    this.#later = later;
    this.#line = line;
    this.#presentation = presentation;
    this.#lost = lostOf(channels, starts);
    this.subscriptions = channels.map((channel, i) => {
      const { afterId, historyUntil } = starts[i] ?? NOWHERE;
      // Nothing of the history is stored, or the poll would not wait.
      return new WaitingSubscription(channel, this, Math.max(afterId, historyUntil));
    });
    const { room } = endpoint;
    // What is applied from here on answers it.
    const clock = room.store.replica?.clock;
    this.#since = clock === undefined || clock.sec === 0 ? null : { time: clock.sec, tag: clock.tag };
    if (endpoint.ttlMs > 0) room.timers.add(this, endpoint.ttlMs);
    room.held.add(this);
    room.fanout.joinPoll(this);
  }

  get format(): Format {
    return this.#endpoint.format;
  }

  /** It waits from now on, or was answered in this very turn. */
  tellArrival(arrival: Arrival, names: readonly Uint8Array[]): void {
    const departure = arrival(names, this);
    if (this.subscriptions.length === 0) departure();
    else this.#departure = departure;
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
    this.#leave();
    this.#later.resolve(this.#endpoint.timedOut(this.#presentation, missing, this.#since));
  }

  fire(): void {
    this.goAway();
  }

  /** Answered as if nothing had come: with the next poll its client hears why. */
  dismiss(): void {
    this.goAway();
  }

  #missed({ index }: LocalChannel, after: number, upTo: number): number | null {
    return toldCount(this.#endpoint.room.fanout.store.missedBetween(index, after, upTo));
  }

  #leave(): void {
    const { room } = this.#endpoint;
    const [first] = this.subscriptions;
    if (first !== undefined) room.fanout.leavePoll(first);
    this.#line?.release();
    room.timers.remove(this);
    room.held.remove(this);
    this.#departure?.();
    this.#departure = null;
  }
}
