/**
 * Brings subscriptions up to date from the store and seats them in the live set when nothing is left to read: streams that are
 * new or were slow, sockets that are new. One store read batch and one write at a time; when the socket is full it stops and is
 * called again when it has drained.
 */
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { frameOf } from "./delivery.ts";
import type { Fanout } from "./fanout.ts";
import { type CatchUpSink, MORE, StoreReader, UNTELLABLE } from "./lag.ts";
import type { StreamSubscription } from "./local-channel.ts";
import { SOCKET_FULL_BYTES } from "./slow-sockets.ts";
import type { StreamConnection } from "./streams.ts";
import { type TopicSubscription, topicGroup } from "./topics.ts";

/** Bytes rendered before they are written, and store batches read, before others get their turn. */
const WRITE_BYTES = 256 * 1024;
const ROUNDS_A_TURN = 4;

export class CatchUp {
  readonly #store: Store;
  readonly #fanout: Fanout;
  readonly #reader: StoreReader;
  readonly #writer = new ByteWriter();
  readonly #later = new Set<StreamConnection | TopicSubscription>();
  readonly #streamSink: CatchUpSink<StreamSubscription>;
  readonly #topicSink: CatchUpSink<TopicSubscription>;

  constructor(store: Store, fanout: Fanout) {
    this.#store = store;
    this.#fanout = fanout;
    this.#reader = new StoreReader(store);
    this.#streamSink = {
      message: (subscription, m) => {
        const { format } = subscription.connection;
        format.message(this.#writer, m, subscription.channel, this.#positions(subscription));
        fanout.delivered(1, 0);
        return this.#writer.length < WRITE_BYTES;
      },
      gap: (subscription, missed, upTo) => {
        const { format } = subscription.connection;
        const told = format.gap(
          this.#writer,
          subscription.channel,
          missed,
          upTo,
          this.#positions(subscription),
        );
        if (told) fanout.gapTold(1);
        return told;
      },
    };
    this.#topicSink = {
      message: (subscription, m) => {
        this.#writer.reset();
        subscription.peer.format.message(this.#writer, m, subscription.channel, null);
        fanout.delivered(1, this.#writer.length);
        return this.#sendFrame(subscription);
      },
      gap: (subscription, missed, upTo) => {
        this.#writer.reset();
        if (!subscription.peer.format.gap(this.#writer, subscription.channel, missed, upTo, null))
          return false;
        fanout.gapTold(1);
        this.#sendFrame(subscription);
        return true;
      },
    };
  }

  /** Goes on with a stream that is behind: new, or slow and drained. */
  stream(connection: StreamConnection): void {
    for (let round = 0; connection.isLagging && !connection.isStalled; round++) {
      if (round === ROUNDS_A_TURN) {
        this.#goOnLater(connection);
        return;
      }
      this.#writer.reset();
      if (connection.prelude !== null) this.#writer.pushBytes(connection.prelude);
      connection.prelude = null;
      let more = false;
      for (const subscription of connection.subscriptions) {
        const outcome = this.#reader.readOn(subscription, Number.MAX_SAFE_INTEGER, this.#streamSink);
        if (outcome === UNTELLABLE) {
          this.#fanout.endBehind(subscription);
          return;
        }
        if (outcome === MORE) more = true;
        if (outcome === MORE && this.#writer.length >= WRITE_BYTES) break;
      }
      this.#fanout.delivered(0, this.#writer.length);
      if (this.#writer.length > 0 && !connection.send(this.#writer.view())) return;
      if (!more) {
        this.#seatStream(connection);
        return;
      }
    }
  }

  /**
   * In a channel that was deleted meanwhile it stays behind and waits to be dismissed: it could not read on to where the live set is, and what
   * is still on its way there would come after a hole.
   */
  #seatStream(connection: StreamConnection): void {
    this.#fanout.caughtUp(connection);
    for (const subscription of connection.subscriptions) {
      const { channel } = subscription;
      if (!this.#store.isLive(channel.index, channel.incarnation)) continue;
      channel.behind.delete(subscription);
      channel.streamGroup(connection.format).add(subscription);
    }
  }

  /** Goes on with a socket that wants to enter its channel's topic: reads to where the topic is, then joins it. */
  topic(subscription: TopicSubscription): void {
    const { channel, peer } = subscription;
    for (let round = 0; channel.joining.has(subscription) && !channel.gone; round++) {
      if (peer.socket.getBufferedAmount() > SOCKET_FULL_BYTES) {
        if (subscription.fullSinceMs === 0) subscription.fullSinceMs = this.#fanout.nowMs();
        return; // its drain event calls again
      }
      subscription.fullSinceMs = 0;
      if (round === ROUNDS_A_TURN) {
        this.#goOnLater(subscription);
        return;
      }
      const outcome = this.#reader.readOn(subscription, channel.delivered, this.#topicSink);
      if (outcome === UNTELLABLE) {
        peer.closeBehind();
        return;
      }
      if (outcome === MORE) continue;
      if (hasCaughtUp(subscription)) this.#seatTopic(subscription);
      return; // betweenJobs() calls again
    }
  }

  #seatTopic(subscription: TopicSubscription): void {
    const { channel, peer } = subscription;
    channel.joining.delete(subscription);
    this.#fanout.socketLagsNoMore(subscription);
    topicGroup(channel, peer.format).join(subscription);
  }

  /** False: nothing more for now. */
  #sendFrame(subscription: TopicSubscription): boolean {
    const { peer, channel } = subscription;
    const frame = frameOf(peer.format, this.#writer);
    // 0: the socket is closed, or will be for being slow, and its close handler follows. Bun says 0 of an empty frame as well.
    if (peer.socket.send(frame) === 0 && frame.length > 0) {
      this.#store.count(this.#fanout.slot, Counter.CLOSED_SLOW, 1);
      channel.joining.delete(subscription);
      return false;
    }
    return peer.socket.getBufferedAmount() <= SOCKET_FULL_BYTES;
  }

  #positions(subscription: StreamSubscription): number[] | null {
    const { connection } = subscription;
    return connection.format.perConnection ? connection.positions() : null;
  }

  #goOnLater(waiting: StreamConnection | TopicSubscription): void {
    if (this.#later.size === 0) setImmediate(() => this.#goOn());
    this.#later.add(waiting);
  }

  #goOn(): void {
    const waiting = [...this.#later];
    this.#later.clear();
    for (const one of waiting) {
      if ("peer" in one) {
        this.topic(one);
      } else this.stream(one);
    }
  }
}

/**
 * The channel's next job is the next thing it wants: no job runs, all that was delivered was given to it, and unstored history, which is not
 * for newcomers, is behind it.
 */
function hasCaughtUp({ channel, sentId, historyUntil }: TopicSubscription): boolean {
  return !channel.busy && sentId === channel.delivered && sentId >= historyUntil;
}
