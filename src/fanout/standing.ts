/**
 * Who stands where in this worker: the one registry that pump, jobs, catch-up, dismissal and the door
 * (fanout.ts) share. Channels with somebody in them, streams that lag, and the counts in the store, which
 * change here and nowhere else, so they cannot drift.
 *
 * It knows places, not times: when something is delivered is the pump's, how somebody catches up is
 * catch-up's.
 */
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import { Counter, FANOUT_LATENCIES } from "../store/counters.ts";
import { OWED_BEHIND, OWED_LIVE, OWED_NOTHING } from "../store/slots.ts";
import type { Store } from "../store/store.ts";
import { Arrivals } from "./arrivals.ts";
import { HeldWrites } from "./held-writes.ts";
import { LocalChannel, type StreamSubscription, type Subscription } from "./local-channel.ts";
import { NativeLoad } from "./native-load.ts";
import type { StreamConnection } from "./streams.ts";
import { leaveTopic, type TopicPeer, type TopicSubscription } from "./topics.ts";
import { removeWaiting, type WaitingSubscription } from "./waiting.ts";

const NOTHING = new Uint8Array(0);

/** Counted apart, too. */
type HeldKind = typeof Counter.STREAMS | typeof Counter.POLLS | typeof Counter.SOCKETS;

export class Standing {
  readonly store: Store;
  readonly slot: number;
  readonly arrivals: Arrivals;
  /** What waits for the end of the pump's work. */
  readonly held = new HeldWrites();
  /** What Bun has to send when the turn ends. */
  readonly native = new NativeLoad();
  /**
   * Streams that read from the store instead of being live: slow ones, not newcomers. With the time when they
   * began to, or their last byte left: who makes no progress is closed.
   */
  readonly lagging = new Map<StreamConnection, number>();
  /** Sockets that were in a topic and were too slow for it, by channel. */
  readonly laggingSockets = new Set<TopicSubscription>();
  /** Those and newcomers, since when their socket takes no more of what they read. */
  readonly fullSockets = new Map<TopicSubscription, number>();
  readonly #channels = new Map<number, LocalChannel>();
  readonly #empty = new Set<LocalChannel>();

  constructor(store: Store, slot: number) {
    this.store = store;
    this.slot = slot;
    this.arrivals = new Arrivals(store);
    store.workers.setOwed(slot, OWED_NOTHING);
  }

  /** A method, so that tests can stop the clock of a job. */
  nowMs(): number {
    return performance.now();
  }

  // --- channels --------------------------------------------------------------------------------------------

  /** The channel with this index, if somebody stands or stood there in this turn. */
  channel(index: number): LocalChannel | undefined {
    return this.#channels.get(index);
  }

  channels(): Iterable<LocalChannel> {
    return this.#channels.values();
  }

  get isEmpty(): boolean {
    return this.#channels.size === 0;
  }

  /** A channel in which nobody stood, as it is now. Stand in it in the same turn, or it is forgotten. */
  open(named: NamedChannel): LocalChannel {
    const { store } = this;
    const { index, incarnation } = named;
    // Before the last id is read: what is published after it must not be dropped.
    if (this.isEmpty) store.workers.setOwed(this.slot, OWED_LIVE);
    const made = new LocalChannel(store, named, store.positions.base(index), store.publishedCount(index));
    // Another process may have given the record away while it was read. Pairs with retireChannel.
    if (!store.isLive(index, incarnation)) return this.lost(named);
    this.#channels.set(index, made);
    this.#forgetLater(made);
    return made;
  }

  /**
   * Its record is another's by now, whose numbers are not its own, and who may have subscribers here: nothing
   * is left but its name.
   */
  lost(named: NamedChannel): LocalChannel {
    const lost = new LocalChannel(this.store, named, 0, 0);
    this.#forgetLater(lost);
    return lost;
  }

  /**
   * Nobody stands there, but perhaps in a moment: whoever is being seated holds the channel in his hand.
   * Looked at when the turn is over.
   */
  #forgetLater(channel: LocalChannel): void {
    if (this.#empty.size === 0) queueMicrotask(() => this.#forgetEmpty());
    this.#empty.add(channel);
  }

  #forgetEmpty(): void {
    for (const channel of this.#empty) if (channel.standing === 0) this.forget(channel);
    this.#empty.clear();
  }

  /** Its index may stand for another channel by now. */
  forget(channel: LocalChannel): void {
    if (this.#channels.get(channel.index) === channel) this.#channels.delete(channel.index);
    if (this.isEmpty) this.store.workers.setOwed(this.slot, OWED_NOTHING);
  }

  // --- coming and going ------------------------------------------------------------------------------------

  /**
   * Counts a subscription in. False: its channel was deleted by another worker since the request was let in,
   * and its ring entry may have gone by already, so nobody else would tell.
   */
  stand({ channel }: Subscription): boolean {
    channel.standing++;
    const nowSec = Math.floor(Date.now() / 1000);
    return this.store.subscribers.add(this.slot, channel.index, nowSec, channel.incarnation);
  }

  #unstand({ channel }: Subscription): void {
    this.arrivals.tell();
    this.store.subscribers.remove(this.slot, channel.index, channel.incarnation);
    channel.standing--;
    if (channel.standing === 0) this.#forgetLater(channel);
  }

  /**
   * A connection is in the worker's count as long as it is in any channel's: who sees no subscribers there
   * need not wait for any.
   */
  counted(kind: HeldKind, connections: number): void {
    this.store.counters.add(this.slot, Counter.SUBSCRIBERS, connections);
    this.store.counters.add(this.slot, kind, connections);
  }

  leaveStream(connection: StreamConnection): void {
    const { subscriptions } = connection;
    if (subscriptions.length === 0) return;
    this.lagsNoMore(connection);
    connection.subscriptions = [];
    for (const subscription of subscriptions) this.leaveStreamChannel(subscription);
    this.counted(Counter.STREAMS, -1);
  }

  /** One channel of a connection that may go on in others. */
  leaveStreamChannel(subscription: StreamSubscription): void {
    subscription.leaveGroup();
    subscription.channel.behind.delete(subscription);
    this.#unstand(subscription);
  }

  leavePoll(subscription: WaitingSubscription): void {
    const { poll } = subscription;
    const { subscriptions } = poll;
    if (subscriptions.length === 0) return;
    poll.subscriptions = [];
    for (const other of subscriptions) {
      removeWaiting(other);
      this.#unstand(other);
    }
    this.counted(Counter.POLLS, -1);
  }

  leaveTopics(peer: TopicPeer, socketOpen: boolean): void {
    const { subscriptions } = peer;
    if (subscriptions.length === 0) return;
    peer.subscriptions = [];
    for (const subscription of subscriptions) this.leaveTopicChannel(subscription, socketOpen);
    this.counted(Counter.SOCKETS, -1);
  }

  leaveTopicChannel(subscription: TopicSubscription, socketOpen: boolean): void {
    leaveTopic(subscription, socketOpen);
    this.socketLagsNoMore(subscription);
    this.#unstand(subscription);
  }

  // --- lagging ---------------------------------------------------------------------------------------------

  /**
   * A live stream's socket is full: out of the live sets, with its place. What it has not read must not be
   * dropped.
   */
  lags(connection: StreamConnection): void {
    this.lagging.set(connection, this.nowMs());
    this.store.workers.setOwed(this.slot, OWED_BEHIND);
    for (const subscription of connection.subscriptions) {
      subscription.leaveGroup();
      subscription.channel.behind.add(subscription);
    }
  }

  /** Some of what it was sent has left. */
  moved(connection: StreamConnection): void {
    if (this.lagging.has(connection)) this.lagging.set(connection, this.nowMs());
  }

  lagsNoMore(connection: StreamConnection): void {
    if (this.lagging.delete(connection)) this.#mayBeLive();
  }

  /** They left their topics, and wait among the joining for room. */
  socketsLag(subscriptions: readonly TopicSubscription[]): void {
    if (subscriptions.length === 0) return;
    this.store.workers.setOwed(this.slot, OWED_BEHIND);
    const nowMs = this.nowMs();
    for (const subscription of subscriptions) {
      this.fullSockets.set(subscription, nowMs);
      this.laggingSockets.add(subscription);
    }
  }

  /** It was full before, perhaps. */
  socketIsFull(subscription: TopicSubscription): void {
    if (!this.fullSockets.has(subscription)) this.fullSockets.set(subscription, this.nowMs());
  }

  socketLagsNoMore(subscription: TopicSubscription): void {
    this.fullSockets.delete(subscription);
    if (this.laggingSockets.delete(subscription)) this.#mayBeLive();
  }

  #mayBeLive(): void {
    if (this.lagging.size + this.laggingSockets.size > 0) return;
    this.store.workers.setOwed(this.slot, this.isEmpty ? OWED_NOTHING : OWED_LIVE);
  }

  /**
   * Ends a stream that cannot be told what it missed, or takes nothing; its client comes back with its
   * position.
   */
  closeSlow(connection: StreamConnection): void {
    this.store.counters.add(this.slot, Counter.CLOSED_SLOW, 1);
    this.leaveStream(connection);
    connection.end(NOTHING);
  }

  // --- counters --------------------------------------------------------------------------------------------

  /** All that was published at `sinceMs` is on its way to the sockets of this worker. */
  fannedOut(sinceMs: number): void {
    const ms = this.nowMs() - sinceMs;
    this.store.counters.add(this.slot, Counter.FANOUTS, 1);
    this.store.counters.add(this.slot, Counter.FANOUT_US, Math.round(ms * 1000));
    for (const [limitMs, counter] of FANOUT_LATENCIES)
      if (ms <= limitMs) this.store.counters.add(this.slot, counter, 1);
  }

  delivered(messages: number, bytes: number): void {
    this.store.counters.add(this.slot, Counter.DELIVERED, messages);
    this.store.counters.add(this.slot, Counter.BYTES_SENT, bytes);
  }

  gapTold(times: number): void {
    this.store.counters.add(this.slot, Counter.GAPS_TOLD, times);
  }

  socketsDropped(sockets: number): void {
    this.store.counters.add(this.slot, Counter.CLOSED_SLOW, sockets);
  }
}
