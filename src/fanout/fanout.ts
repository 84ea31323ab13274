/**
 * Where subscribers stand in this worker: the only door between subscribe/ and fan-out. subscribe/ opens
 * channels and joins or leaves here; who stands where is in standing.ts, what they are given is pump's and
 * catch-up's.
 */
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { CatchUp } from "./catch-up.ts";
import type { InHand } from "./in-hand.ts";
import { LocalChannel } from "./local-channel.ts";
import { without } from "./one-or-many.ts";
import { Pump, type PumpOptions } from "./pump.ts";
import { Standing } from "./standing.ts";
import type { StreamConnection, StreamKeeper } from "./streams.ts";
import type { TopicPeer, TopicSubscription } from "./topics.ts";
import { Turns } from "./turns.ts";
import { addWaiting, type WaitingPoll, type WaitingSubscription } from "./waiting.ts";

const SEND_MS = 60_000;

const NOBODY: NamedChannel = { index: 0, incarnation: 0, name: new Uint8Array(0) };

export interface FanoutOptions extends PumpOptions {
  readonly store: Store;
  readonly slot: number;
  readonly ringOther: (slot: number) => void;
  /**
   * A reader that lags and takes nothing for so long is closed, like nginx's send_timeout; a minute unless
   * said.
   */
  readonly sendMs?: number;
}

export class Fanout implements StreamKeeper {
  readonly store: Store;
  readonly slot: number;
  readonly standing: Standing;
  readonly turns: Turns;
  /** How long a reader may take nothing. */
  readonly sendMs: number;
  /** Stands for "no channel of this worker" where a format wants one and the answer is not live. */
  readonly nobody: LocalChannel;
  readonly #options: FanoutOptions;
  readonly #pump: Pump;
  readonly #catchUp: CatchUp;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.store = options.store;
    this.slot = options.slot;
    this.turns = new Turns(options.beforeWork);
    this.sendMs = options.sendMs ?? SEND_MS;
    this.nobody = new LocalChannel(options.store, NOBODY, 0, 0);
    this.standing = new Standing(options.store, options.slot);
    this.#catchUp = new CatchUp(this.standing, this.turns);
    this.#pump = new Pump(this.standing, this.#catchUp, options);
    this.store.onEvent(() => this.published());
    // It was to be stood in while the store was busy, and nobody else would tell of its end.
    this.store.subscribers.onLost((index, incarnation) => {
      const channel = this.standing.channel(index);
      if (channel?.incarnation === incarnation) this.#pump.end(channel);
    });
  }

  /** After an own publish or deletion: deliver here at the end of the turn, wake the other workers now. */
  published(): void {
    if (!this.standing.isEmpty) this.#pump.told();
    this.store.workers.ringOthers(this.slot, this.#options.ringOther);
  }

  /** The same for a message that the caller has in hand. */
  publishedInHand({ index, incarnation }: NamedChannel, message: InHand): void {
    const channel = this.standing.channel(index);
    // Of two in one turn neither is all that is due.
    if (channel?.incarnation === incarnation) channel.inHand = channel.inHand === null ? message : null;
    this.published();
  }

  /** Another worker rang. */
  rung(): void {
    this.store.counters.add(this.slot, Counter.BELLS_HEARD, 1);
    this.#pump.told();
  }

  stop(): void {
    this.store.onEvent(null);
    this.store.subscribers.onLost(null);
    this.#pump.stop();
  }

  // --- who stands where ------------------------------------------------------------------------------------

  /**
   * The channel as this worker sees it, made now if nobody stood there. Stand in it in the same turn, or ask
   * again. One that is gone by now can be stood in as well: who does is told of its end.
   */
  channel({ index, incarnation, name }: NamedChannel): LocalChannel {
    const { standing } = this;
    const named = { index, incarnation, name };
    const known = standing.channel(index);
    if (known?.incarnation === incarnation) return known;
    if (!this.store.isLive(index, incarnation)) return standing.lost(named);
    // From here on the deletion's entry in the ring would look for it in vain.
    if (known !== undefined) this.#pump.end(known);
    else if (standing.isEmpty) this.#pump.begin();
    return standing.open(named);
  }

  /**
   * Seats a stream in all its channels (already in `connection.subscriptions`). It starts by reading what is
   * stored after each `sentId` and becomes live when nothing is left, in this very turn if its socket takes
   * it. `prelude` goes out before everything else, with the first write (header template, first event id);
   * its bytes may be used again after the call.
   */
  joinStream(connection: StreamConnection, prelude: Uint8Array | null = null): void {
    const { standing } = this;
    connection.startBehind();
    standing.counted(Counter.STREAMS, 1);
    for (const subscription of connection.subscriptions) {
      if (!standing.stand(subscription)) this.#pump.end(subscription.channel);
      subscription.channel.behind.add(subscription);
    }
    standing.arrivals.expect(connection.subscriptions);
    this.#catchUp.stream(connection, prelude);
    standing.arrivals.tell();
  }

  leaveStream(connection: StreamConnection): void {
    this.standing.leaveStream(connection);
  }

  joinPoll(poll: WaitingPoll): void {
    const { standing } = this;
    standing.counted(Counter.POLLS, 1);
    for (const subscription of poll.subscriptions) {
      if (!standing.stand(subscription)) this.#pump.end(subscription.channel);
      addWaiting(subscription);
    }
    standing.arrivals.expect(poll.subscriptions);
    standing.arrivals.tell();
  }

  leavePoll(subscription: WaitingSubscription): void {
    this.standing.leavePoll(subscription);
  }

  joinTopics(peer: TopicPeer): void {
    this.standing.counted(Counter.SOCKETS, 1);
    this.#enterTopics(peer.subscriptions);
  }

  /** More channels for a socket, beside those in which it stands. */
  addTopics(peer: TopicPeer, added: readonly TopicSubscription[]): void {
    if (peer.subscriptions.length === 0) this.standing.counted(Counter.SOCKETS, 1);
    peer.subscriptions = [...peer.subscriptions, ...added];
    this.#enterTopics(added);
  }

  #enterTopics(entering: readonly TopicSubscription[]): void {
    const { standing } = this;
    for (const subscription of entering) {
      if (!standing.stand(subscription)) this.#pump.end(subscription.channel);
      subscription.channel.joining.add(subscription);
    }
    standing.arrivals.expect(entering);
    for (const subscription of [...entering]) this.#catchUp.topic(subscription);
    standing.arrivals.tell();
  }

  /** One channel of a socket that may stay in others. */
  leaveTopic(subscription: TopicSubscription): void {
    const { peer } = subscription;
    if (!peer.subscriptions.includes(subscription)) return;
    peer.subscriptions = without(peer.subscriptions, subscription);
    this.standing.leaveTopicChannel(subscription, true);
    if (peer.subscriptions.length === 0) this.standing.counted(Counter.SOCKETS, -1);
  }

  leaveTopics(peer: TopicPeer, socketOpen: boolean): void {
    this.standing.leaveTopics(peer, socketOpen);
  }

  /** The socket has room again: newcomers that still read their backlog go on. */
  socketDrained(peer: TopicPeer): void {
    for (const subscription of [...peer.subscriptions]) {
      if (!subscription.isJoined) this.#catchUp.topic(subscription);
    }
  }

  /**
   * Once a second: closes lagging streams and joining sockets that take nothing (performance.now()), and
   * publishes how many lag.
   */
  closeStuck(nowMs: number): void {
    const { lagging, laggingSockets, fullSockets } = this.standing;
    this.store.counters.set(this.slot, Counter.LAGGING, lagging.size + laggingSockets.size);
    if (lagging.size + laggingSockets.size === 0) this.#catchUp.forget();
    for (const [connection, progressMs] of lagging) {
      if (nowMs - progressMs > this.sendMs) this.standing.closeSlow(connection);
    }
    for (const [{ peer }, sinceMs] of fullSockets) if (nowMs - sinceMs > this.sendMs) peer.closeBehind();
  }

  // --- told by streams -------------------------------------------------------------------------------------

  lagged(connection: StreamConnection): void {
    this.standing.lags(connection);
  }

  drained(connection: StreamConnection): void {
    this.standing.moved(connection);
    this.#catchUp.stream(connection);
  }

  flushLater(connection: StreamConnection): void {
    this.standing.held.add(connection);
    this.#pump.schedule();
  }
}
