/**
 * Where subscribers stand in this worker: the only door between subscribe/ and the pump. subscribe/ opens channels and joins or
 * leaves; the pump asks here who stands where. Counts in the store (subscribers per channel and worker) change here and nowhere
 * else, so they cannot drift.
 */
import type { NamedChannel } from "../store/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import { OWED_BEHIND, OWED_LIVE, OWED_NOTHING } from "../store/slots.ts";
import type { Store } from "../store/store.ts";
import { Arrivals } from "./arrivals.ts";
import { CatchUp } from "./catch-up.ts";
import type { Job } from "./delivery.ts";
import { dismiss, lostDeletion } from "./dismiss.ts";
import { LocalChannel, type StreamSubscription, type Subscription } from "./local-channel.ts";
import { Pump, type PumpHost } from "./pump.ts";
import type { StreamConnection, StreamKeeper } from "./streams.ts";
import { leaveTopic, type TopicPeer, type TopicSubscription } from "./topics.ts";
import { addWaiting, removeWaiting, type WaitingPoll, type WaitingSubscription } from "./waiting.ts";

const NOTHING = new Uint8Array(0);

/** A reader that lags and takes nothing for so long is closed, like nginx's send_timeout. */
const NO_PROGRESS_MS = 60_000;

export interface FanoutOptions {
  readonly store: Store;
  readonly slot: number;
  readonly publish: (topic: string, payload: string | Uint8Array) => number;
  readonly ringOther: (slot: number) => void;
  /** The deletion message for channels whose own was evicted before it was read. */
  readonly deletedText: Uint8Array;
}

export class Fanout implements PumpHost, StreamKeeper {
  readonly store: Store;
  readonly slot: number;
  /** Stands for "no channel of this worker" where a format wants one and the answer is not live. */
  readonly nobody = new LocalChannel(-1, 0, 0, NOTHING, 0);
  readonly #options: FanoutOptions;
  readonly #channels = new Map<number, LocalChannel>();
  readonly #pump: Pump;
  readonly #catchUp: CatchUp;
  readonly #arrivals: Arrivals;
  readonly #toFlush: StreamConnection[] = [];
  readonly #lagging = new Set<StreamConnection>();
  /** Sockets that were in a topic and were too slow for it, by channel. */
  readonly #laggingSockets = new Set<TopicSubscription>();
  #flushScheduled = false;
  readonly #empty = new Set<LocalChannel>();

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.store = options.store;
    this.slot = options.slot;
    this.#pump = new Pump(options.store, options.slot, this);
    this.#catchUp = new CatchUp(options.store, this);
    this.#arrivals = new Arrivals(options.store);
    this.store.setOwed(this.slot, OWED_NOTHING);
    this.store.onEvent(() => this.published());
    // It was to be stood in while the store was busy, and nobody else would tell of its end.
    this.store.onLost((index, incarnation) => {
      const channel = this.#channels.get(index);
      if (channel?.incarnation === incarnation) this.#pump.end(channel);
    });
  }

  /** After an own publish or deletion: deliver here at the end of the turn, wake the other workers now. */
  published(): void {
    if (this.hasLocals()) this.#pump.schedule();
    this.store.ringOthers(this.slot, this.#options.ringOther);
  }

  /** Another worker rang. */
  rung(): void {
    this.store.count(this.slot, Counter.BELLS_HEARD, 1);
    this.#pump.schedule();
  }

  stop(): void {
    this.store.onEvent(null);
    this.store.onLost(null);
    this.#pump.stop();
  }

  // --- who stands where ----------------------------------------------------------------------------------------------

  /**
   * The channel as this worker sees it, made now if nobody stood there. Stand in it in the same turn, or ask again. One that is gone by
   * now can be stood in as well: who does is told of its end.
   */
  channel({ index, incarnation, name }: NamedChannel): LocalChannel {
    const { store } = this;
    const known = this.#channels.get(index);
    if (known?.incarnation === incarnation) return known;
    if (!store.isLive(index, incarnation)) return this.#lost({ index, incarnation, name });
    if (known !== undefined) {
      // From here on the deletion's entry in the ring would look for it in vain.
      this.#pump.end(known);
    } else if (this.#channels.size === 0) {
      this.#pump.begin();
      // Before the last id is read: what is published after it must not be dropped.
      store.setOwed(this.slot, OWED_LIVE);
    }
    const made = new LocalChannel(index, incarnation, store.base(index), name, store.publishedCount(index));
    // Once more: another process may have given the record away while it was read. Pairs with retireChannel.
    if (!store.isLive(index, incarnation)) return this.#lost(made);
    this.#channels.set(index, made);
    this.#forgetLater(made);
    return made;
  }

  /** Its record is another's by now, whose numbers are not its own, and who may have subscribers here: nothing is left but its name. */
  #lost({ index, incarnation, name }: NamedChannel): LocalChannel {
    const lost = new LocalChannel(index, incarnation, 0, name, 0);
    this.#forgetLater(lost);
    return lost;
  }

  /**
   * Seats a stream in all its channels (already in `connection.subscriptions`). It starts by reading what is stored after each
   * `sentId` and becomes live when nothing is left, in this very turn if its socket takes it.
   */
  joinStream(connection: StreamConnection): void {
    connection.startBehind();
    this.#counted(1);
    for (const subscription of connection.subscriptions) {
      this.#stand(subscription);
      subscription.channel.behind.add(subscription);
    }
    this.#arrivals.expect(connection.subscriptions);
    this.#catchUp.stream(connection);
    this.#arrivals.tell();
  }

  leaveStream(connection: StreamConnection): void {
    if (connection.subscriptions.length === 0) return;
    this.#lagsNoMore(connection);
    for (const subscription of connection.subscriptions.splice(0)) this.leaveStreamChannel(subscription);
    this.#counted(-1);
  }

  /** One channel of a connection that may go on in others. */
  leaveStreamChannel(subscription: StreamSubscription): void {
    subscription.group?.remove(subscription);
    subscription.channel.behind.delete(subscription);
    this.#unstand(subscription);
  }

  joinPoll(poll: WaitingPoll): void {
    this.#counted(1);
    for (const subscription of poll.subscriptions) {
      this.#stand(subscription);
      addWaiting(subscription);
    }
    this.#arrivals.expect(poll.subscriptions);
    this.#arrivals.tell();
  }

  leavePoll(subscription: WaitingSubscription): void {
    const { subscriptions } = subscription.poll;
    if (subscriptions.length === 0) return;
    for (const other of subscriptions.splice(0)) {
      removeWaiting(other);
      this.#unstand(other);
    }
    this.#counted(-1);
  }

  joinTopics(peer: TopicPeer): void {
    this.#counted(1);
    for (const subscription of peer.subscriptions) {
      this.#stand(subscription);
      subscription.channel.joining.add(subscription);
    }
    this.#arrivals.expect(peer.subscriptions);
    for (const subscription of [...peer.subscriptions]) this.#catchUp.topic(subscription);
    this.#arrivals.tell();
  }

  leaveTopics(peer: TopicPeer, socketOpen: boolean): void {
    if (peer.subscriptions.length === 0) return;
    for (const subscription of peer.subscriptions.splice(0)) this.leaveTopicChannel(subscription, socketOpen);
    this.#counted(-1);
  }

  leaveTopicChannel(subscription: TopicSubscription, socketOpen: boolean): void {
    leaveTopic(subscription, socketOpen);
    this.socketLagsNoMore(subscription);
    this.#unstand(subscription);
  }

  /** The socket has room again: newcomers that still read their backlog go on. */
  socketDrained(peer: TopicPeer): void {
    for (const subscription of [...peer.subscriptions]) {
      if (subscription.shard === null) this.#catchUp.topic(subscription);
    }
  }

  /** Once a second: closes lagging streams and joining sockets that take nothing (performance.now()), and publishes how many lag. */
  closeStuck(nowMs: number): void {
    this.store.setCounter(this.slot, Counter.LAGGING, this.#lagging.size + this.#laggingSockets.size);
    for (const connection of this.#lagging) {
      if (nowMs - connection.lastProgressMs > NO_PROGRESS_MS) this.#closeSlow(connection);
    }
    for (const { joining } of this.#channels.values()) {
      for (const { fullSinceMs, peer } of joining) {
        if (fullSinceMs > 0 && nowMs - fullSinceMs > NO_PROGRESS_MS) peer.closeBehind();
      }
    }
  }

  #stand({ channel }: Subscription): void {
    channel.standing++;
    const nowSec = Math.floor(Date.now() / 1000);
    const counted = this.store.addSubscriber(this.slot, channel.index, nowSec, channel.incarnation);
    // Deleted by another worker since the request was let in. Its ring entry may have gone by already, so nobody else would tell.
    if (!counted) this.#pump.end(channel);
  }

  #unstand({ channel }: Subscription): void {
    this.#arrivals.tell();
    this.store.removeSubscriber(this.slot, channel.index, channel.incarnation);
    channel.standing--;
    if (channel.standing === 0) this.#forgetLater(channel);
  }

  /** Nobody stands there, but perhaps in a moment: whoever is being seated holds the channel in his hand. Looked at when the turn is over. */
  #forgetLater(channel: LocalChannel): void {
    if (this.#empty.size === 0) queueMicrotask(() => this.#forgetEmpty());
    this.#empty.add(channel);
  }

  #forgetEmpty(): void {
    for (const channel of this.#empty) if (channel.standing === 0) this.#forget(channel);
    this.#empty.clear();
  }

  /** Its index may stand for another channel by now. */
  #forget(channel: LocalChannel): void {
    if (this.#channels.get(channel.index) === channel) this.#channels.delete(channel.index);
    if (this.#channels.size === 0) this.store.setOwed(this.slot, OWED_NOTHING);
  }

  /** A connection is in the worker's count as long as it is in any channel's: who sees no subscribers there need not wait for any. */
  #counted(connections: number): void {
    this.store.count(this.slot, Counter.SUBSCRIBERS, connections);
  }

  // --- asked by the pump -----------------------------------------------------------------------------------------------

  local(index: number): LocalChannel | undefined {
    return this.#channels.get(index);
  }

  locals(): Iterable<LocalChannel> {
    return this.#channels.values();
  }

  hasLocals(): boolean {
    return this.#channels.size > 0;
  }

  betweenJobs(channel: LocalChannel): void {
    if (channel.joining.size === 0) return;
    for (const subscription of [...channel.joining]) this.#catchUp.topic(subscription);
  }

  deleted(channel: LocalChannel, job: Job): void {
    const known = job.batch.hasText ? job.batch.messages[0] : undefined;
    dismiss(this, channel, known ?? lostDeletion(channel, this.#options.deletedText));
    this.#forget(channel);
  }

  publish(topic: string, payload: string | Uint8Array): number {
    return this.#options.publish(topic, payload);
  }

  nowMs(): number {
    return performance.now();
  }

  delivered(messages: number, bytes: number): void {
    this.store.count(this.slot, Counter.DELIVERED, messages);
    this.store.count(this.slot, Counter.BYTES_SENT, bytes);
  }

  gapTold(times: number): void {
    this.store.count(this.slot, Counter.GAPS_TOLD, times);
  }

  topicDropped(sockets: number): void {
    this.store.count(this.slot, Counter.CLOSED_SLOW, sockets);
  }

  endBehind(subscription: StreamSubscription): void {
    this.#closeSlow(subscription.connection);
  }

  // --- told by streams -------------------------------------------------------------------------------------------------

  lagged(connection: StreamConnection): void {
    connection.lastProgressMs = this.nowMs();
    this.#lagging.add(connection);
    this.store.setOwed(this.slot, OWED_BEHIND);
    for (const subscription of connection.subscriptions) {
      subscription.group?.remove(subscription);
      subscription.channel.behind.add(subscription);
    }
  }

  drained(connection: StreamConnection): void {
    connection.lastProgressMs = this.nowMs();
    this.#catchUp.stream(connection);
  }

  /** Called by catch-up: nothing is left to read, the connection is live in all its channels. */
  caughtUp(connection: StreamConnection): void {
    this.#lagsNoMore(connection);
    connection.caughtUp();
  }

  #lagsNoMore(connection: StreamConnection): void {
    if (this.#lagging.delete(connection)) this.#mayBeLive();
  }

  socketsLag(subscriptions: readonly TopicSubscription[]): void {
    if (subscriptions.length === 0) return;
    this.store.setOwed(this.slot, OWED_BEHIND);
    const nowMs = this.nowMs();
    for (const subscription of subscriptions) {
      subscription.fullSinceMs = nowMs;
      this.#laggingSockets.add(subscription);
    }
  }

  socketLagsNoMore(subscription: TopicSubscription): void {
    if (this.#laggingSockets.delete(subscription)) this.#mayBeLive();
  }

  #mayBeLive(): void {
    if (this.#lagging.size + this.#laggingSockets.size === 0) this.store.setOwed(this.slot, OWED_LIVE);
  }

  flushLater(connection: StreamConnection): void {
    this.#toFlush.push(connection);
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      for (const waiting of this.#toFlush.splice(0)) if (waiting.flushQueued) waiting.flush();
    });
  }

  #closeSlow(connection: StreamConnection): void {
    this.store.count(this.slot, Counter.CLOSED_SLOW, 1);
    this.leaveStream(connection);
    connection.end(NOTHING);
  }
}
