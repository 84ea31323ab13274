/**
 * A long poll that waits (push-stream spec 4.12 (6)): made by poll.ts, which also writes its answer. It is
 * also what is told when the client goes away, so it is one object in all its roles.
 */
import { type Format, toldCount } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { kept, listOf, type OneOrMany } from "../fanout/one-or-many.ts";
import { type WaitingPoll, WaitingSubscription } from "../fanout/waiting.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import { LaterAnswer } from "../http/direct-answer.ts";
import type { Gone } from "../http/incoming.ts";
import type { Message } from "../store/message/message-view.ts";
import type { Missing } from "../wire/gap-field.ts";
import { lostOf, type Start } from "./asked.ts";
import type { Line } from "./line.ts";
import type { PollEndpoint } from "./poll.ts";
import { nowSec } from "./poll-fields.ts";
import type { Mark } from "./poll-reading.ts";
import type { Presentation } from "./presentation.ts";
import type { Held } from "./timer-wheel.ts";

/** What the polls share that look alike. */
export interface PollTerms {
  readonly endpoint: PollEndpoint;
  readonly presentation: Presentation;
}

/** What those have beside the rest who are watched, whose end is told to somebody, or who lost something. */
class Beside {
  /** What its position alone told to be missing. */
  readonly lost: readonly Missing[];
  readonly line: Line | null;
  departure: (() => void) | null = null;

  constructor(lost: readonly Missing[], line: Line | null) {
    this.lost = lost;
    this.line = line;
  }
}

const NONE: readonly Missing[] = [];

/** The pump looks oftener. */
const OWED_MS = 50;
const NOWHERE = { afterId: 0, historyUntil: 0 };

/**
 * One waiting long poll: answered once, by a message, by its ttl, by a drain, or not at all when the client
 * leaves. It is the answer that is waited for (LaterAnswer), and has eight fields and 80 bytes; with one more
 * it would be 112.
 */
export class HeldPoll extends LaterAnswer implements WaitingPoll, Held, Standing, Gone {
  #standing: OneOrMany<WaitingSubscription>;
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  readonly #terms: PollTerms;
  /**
   * Where the newest message was when it began to wait (of a cluster: that this node had read). Shared by
   * those who began in between two messages.
   */
  readonly #since: Readonly<Mark>;
  #beside: Beside | null;

  constructor(
    terms: PollTerms,
    channels: readonly LocalChannel[],
    starts: readonly Start[],
    line: Line | null,
  ) {
    super();
    this.#terms = terms;
    const lost = lostOf(channels, starts);
    this.#beside = lost.length > 0 || line !== null ? new Beside(lost, line) : null;
    this.#standing = kept(
      channels.map((channel, i) => {
        const { afterId, historyUntil } = starts[i] ?? NOWHERE;
        // Nothing of the history is stored, or the poll would not wait.
        return new WaitingSubscription(channel, this, Math.max(afterId, historyUntil));
      }),
    );
    const { hub, ttlMs } = terms.endpoint;
    // What comes from here on answers it.
    this.#since = terms.endpoint.newest();
    hub.held.enter(this);
    if (ttlMs > 0) hub.held.add(this, ttlMs);
    hub.fanout.joinPoll(this);
  }

  get subscriptions(): readonly WaitingSubscription[] {
    return listOf(this.#standing);
  }
  set subscriptions(list: readonly WaitingSubscription[]) {
    this.#standing = kept(list);
  }

  get #endpoint(): PollEndpoint {
    return this.#terms.endpoint;
  }
  get #lost(): readonly Missing[] {
    return this.#beside?.lost ?? NONE;
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
    this.#beside ??= new Beside(NONE, null);
    this.#beside.departure = departure;
  }

  /** On Bun's door: the request was aborted. */
  handleEvent(): void {
    this.#leave();
  }

  cancel(): void {
    this.#leave();
  }

  /** What came before `m` and was evicted before this worker could read it is told in the head. */
  answer({ channel, sentId }: WaitingSubscription, m: Message, body: Uint8Array): void {
    const missed = m.id > sentId + 1 ? this.#missed(channel, sentId, m.id - 1) : 0;
    const missing = missed === 0 ? this.#lost : [...this.#lost, { channel: channel.name, missed }];
    this.#leave();
    this.resolve(this.#endpoint.wrap(m, body, this.#terms.presentation, missing));
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
    this.resolve(this.#endpoint.timedOut(this.#terms.presentation, missing, mark));
  }

  /** Its time is over. What was published before that and not told here yet answers it in a moment. */
  fire(): void {
    if (this.#isOwed()) this.#endpoint.hub.held.add(this, OWED_MS);
    else this.goAway();
  }

  /**
   * From where its client goes on: now, as the dialect says, where nothing that it is owed can be older. In a
   * cluster this clock may be ahead of the engine's, by which messages are dated.
   */
  #mark(): Readonly<Mark> {
    const { store } = this.#endpoint.hub;
    const now = { time: nowSec(), tag: 0 };
    const since = this.#since;
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
    hub.held.remove(this);
    const beside = this.#beside;
    this.#beside = null;
    beside?.line?.release();
    beside?.departure?.();
  }
}
