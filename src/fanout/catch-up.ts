/**
 * Brings subscriptions up to date from the store and seats them in the live set when nothing is left to read:
 * streams that are new or were slow, sockets that are new. One store read batch and one write at a time; when
 * the socket is full it stops and is called again when it has drained.
 */
import type { DirectSocket } from "../http/peer-socket.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Position } from "../wire/position.ts";
import { frameOf, pushFrame } from "./frame.ts";
import type { LocalChannel, StreamSubscription, Subscription } from "./local-channel.ts";
import { type CatchUpSink, MORE, readOn, UNTELLABLE, WAIT } from "./read-on.ts";
import { RenderedPieces } from "./rendered-pieces.ts";
import { isFull } from "./slow-sockets.ts";
import type { Standing } from "./standing.ts";
import type { StreamConnection } from "./streams.ts";
import { type TopicPeer, type TopicSubscription, topicGroup } from "./topics.ts";
import type { Turns } from "./turns.ts";

/** Bytes rendered before they are written, and store batches read, before others get their turn. */
const WRITE_BYTES = 256 * 1024;
const ROUNDS_A_TURN = 4;

export class CatchUp {
  readonly #store: Store;
  readonly #standing: Standing;
  /** For streams; and frames for sockets of our own. */
  readonly #pieces = new RenderedPieces();
  readonly #frames = new RenderedPieces();
  /** One message for Bun's sockets, and for ours before it is framed. */
  readonly #writer = new ByteWriter();
  readonly #turns: Turns;
  readonly #streamSink: CatchUpSink<StreamSubscription>;
  readonly #topicSink: CatchUpSink<TopicSubscription>;

  constructor(standing: Standing, turns: Turns) {
    this.#turns = turns;
    this.#store = standing.store;
    this.#standing = standing;
    this.#streamSink = {
      message: (subscription, m) => {
        const { format } = subscription.connection;
        format.message(this.#pieces.writer, m, subscription.channel, placeFor(subscription.connection));
        standing.delivered(1, 0);
        return this.#pieces.writer.length < WRITE_BYTES;
      },
      gap: (subscription, missed, upTo) => {
        const { format } = subscription.connection;
        const told = format.gap(
          this.#pieces.writer,
          subscription.channel,
          missed,
          upTo,
          placeFor(subscription.connection),
        );
        if (told) standing.gapTold(1);
        return told;
      },
      presence: {
        isWanted: ({ connection }) => Boolean(connection.format.presence),
        event: ({ connection, channel }, m) => {
          connection.format.presence?.event(this.#pieces.writer, m, channel, placeFor(connection));
          return this.#pieces.writer.length < WRITE_BYTES;
        },
        lost: ({ connection, channel, sentNumber }, missed) => {
          const { presence } = connection.format;
          presence?.lost(this.#pieces.writer, channel, missed, sentNumber, placeFor(connection));
        },
      },
    };
    this.#topicSink = {
      message: (subscription, m) => {
        this.#writer.reset();
        const { peer, channel } = subscription;
        peer.format.message(this.#writer, m, channel, placeFor(peer));
        standing.delivered(1, this.#writer.length);
        return this.#sendFrame(subscription);
      },
      gap: (subscription, missed, upTo) => {
        this.#writer.reset();
        const { peer, channel } = subscription;
        if (!peer.format.gap(this.#writer, channel, missed, upTo, placeFor(peer))) return false;
        standing.gapTold(1);
        this.#sendFrame(subscription);
        return true;
      },
      presence: {
        isWanted: ({ peer }) => Boolean(peer.format.presence),
        event: (subscription, m) => {
          this.#writer.reset();
          const { peer, channel } = subscription;
          peer.format.presence?.event(this.#writer, m, channel, placeFor(peer));
          return this.#sendFrame(subscription);
        },
        lost: (subscription, missed) => {
          this.#writer.reset();
          const { peer, channel, sentNumber } = subscription;
          peer.format.presence?.lost(this.#writer, channel, missed, sentNumber, placeFor(peer));
          this.#sendFrame(subscription);
        },
      },
    };
  }

  /**
   * Goes on with a stream that is behind: new, or slow and drained. At once; or when it is its turn, if there
   * is much to read for many. `prelude` is for a new one, and leaves in this turn.
   */
  stream(connection: StreamConnection, prelude: Uint8Array | null = null): void {
    if (this.#isUpToDate(connection)) this.#readStream(connection, prelude);
    else if (this.#turns.hasTime) this.#turns.now(this.#reader(connection, prelude));
    else if (this.#begun(connection, prelude)) this.#turns.later(connection, this.#reader(connection));
  }

  /** In a method of its own: most have nothing to read, and the engine would make what it needs for all. */
  #reader(connection: StreamConnection, prelude: Uint8Array | null = null): () => void {
    return () => this.#readStream(connection, prelude);
  }

  /** As #reader. */
  #topicReader(subscription: TopicSubscription): () => void {
    return () => this.#readTopic(subscription);
  }

  /**
   * Whatever comes before its turn does, the first bytes are first. False: its socket is full, and the drain
   * calls again.
   */
  #begun(connection: StreamConnection, prelude: Uint8Array | null): boolean {
    if (prelude === null) return true;
    this.#standing.delivered(0, prelude.length);
    return connection.send(prelude);
  }

  #isUpToDate({ subscriptions }: StreamConnection): boolean {
    for (const one of subscriptions) if (!this.#hasAll(one)) return false;
    return true;
  }

  /** Nothing is stored behind it. */
  #hasAll({ channel, sentId }: Subscription): boolean {
    return sentId >= this.#store.publishedCount(channel.index);
  }

  #readStream(connection: StreamConnection, prelude: Uint8Array | null = null): void {
    for (let round = 0; connection.isBehind && !connection.isStalled; round++) {
      if (round === ROUNDS_A_TURN) {
        this.#turns.later(connection, this.#reader(connection));
        return;
      }
      this.#pieces.writer.reset();
      if (prelude !== null && round === 0) this.#pieces.writer.pushBytes(prelude);
      let more = false;
      let mustWait = false;
      for (const subscription of connection.subscriptions) {
        const outcome = readOn(this.#store, subscription, Number.MAX_SAFE_INTEGER, this.#streamSink);
        if (outcome === UNTELLABLE) {
          this.#standing.closeSlow(connection);
          return;
        }
        if (outcome === MORE) more = true;
        if (outcome === WAIT) mustWait = true;
        if (outcome === MORE && this.#pieces.writer.length >= WRITE_BYTES) break;
      }
      this.#standing.delivered(0, this.#pieces.writer.length);
      if (this.#pieces.writer.length > 0 && !connection.send(this.#pieces.piece())) return;
      if (mustWait) {
        this.#turns.soon(connection, this.#reader(connection));
        return;
      }
      if (!more) {
        this.#seatStream(connection);
        return;
      }
    }
  }

  /**
   * In a channel that was deleted meanwhile it stays behind and waits to be dismissed: it could not read on
   * to where the live set is, and what is still on its way there would come after a hole.
   */
  #seatStream(connection: StreamConnection): void {
    this.#standing.lagsNoMore(connection);
    connection.caughtUp();
    for (const subscription of connection.subscriptions) {
      const { channel } = subscription;
      subscription.seated();
      if (!this.#store.isLive(channel.index, channel.incarnation)) continue;
      channel.behind.delete(subscription);
      channel.streamGroup(connection.format).add(subscription);
    }
  }

  /**
   * Goes on with a socket that wants to enter its channel's topic: reads to where the topic is, then joins
   * it.
   */
  topic(subscription: TopicSubscription): void {
    if (this.#hasAll(subscription)) this.#readTopic(subscription);
    else if (this.#turns.hasTime) this.#turns.now(this.#topicReader(subscription));
    else this.#turns.later(subscription, this.#topicReader(subscription));
  }

  #readTopic(subscription: TopicSubscription): void {
    const { channel, peer } = subscription;
    for (let round = 0; channel.joining.has(subscription) && !channel.gone; round++) {
      if (isFull(peer.socket)) {
        this.#standing.socketIsFull(subscription);
        return; // its drain event calls again
      }
      this.#standing.fullSockets.delete(subscription);
      if (round === ROUNDS_A_TURN) {
        this.#turns.later(subscription, this.#topicReader(subscription));
        return;
      }
      // What is read in one go leaves in one piece where the socket is ours.
      const { direct } = peer.socket;
      const isAlone = direct?.isCorked === false;
      if (isAlone) direct.cork();
      const { delivered, deliveredNumber } = channel;
      const outcome = readOn(this.#store, subscription, delivered, this.#topicSink, deliveredNumber);
      if (isAlone) direct.uncork();
      if (outcome === UNTELLABLE) {
        peer.closeBehind();
        return;
      }
      if (outcome === MORE) continue;
      if (outcome === WAIT) {
        this.#turns.soon(subscription, this.#topicReader(subscription));
        return;
      }
      if (subscription.hasCaughtUp) this.#seatTopic(subscription);
      return; // betweenJobs() calls again
    }
  }

  /**
   * A job is done and the next has not begun: sockets that have everything up to `delivered` may enter topics
   * now.
   */
  betweenJobs(channel: LocalChannel): void {
    if (channel.joining.size === 0) return;
    for (const subscription of [...channel.joining]) this.#readTopic(subscription);
  }

  #seatTopic(subscription: TopicSubscription): void {
    const { channel, peer } = subscription;
    channel.joining.delete(subscription);
    this.#standing.socketLagsNoMore(subscription);
    subscription.seated();
    topicGroup(channel, peer.format).join(subscription);
  }

  /** False: nothing more for now. */
  #sendFrame(subscription: TopicSubscription): boolean {
    const { peer } = subscription;
    const { direct } = peer.socket;
    if (direct !== undefined) return this.#sendDirect(subscription, direct);
    const frame = frameOf(peer.format, this.#writer);
    // 0: the socket is closed, or will be for being slow, and its close handler follows. Bun says 0 of an
    // empty frame as well.
    if (peer.socket.send(frame) === 0 && frame.length > 0) {
      this.#closedSlow(subscription);
      return false;
    }
    return !isFull(peer.socket);
  }

  #sendDirect(subscription: TopicSubscription, direct: DirectSocket): boolean {
    const own = this.#writer;
    const { writer } = this.#frames;
    writer.reset();
    pushFrame(writer, subscription.peer.format, own);
    const piece = this.#frames.piece();
    if (direct.sendFrames(piece, piece.length, this.#frames.batchOf(piece)) === 0) {
      this.#closedSlow(subscription);
      return false;
    }
    return !direct.isStalled;
  }

  #closedSlow(subscription: TopicSubscription): void {
    this.#store.counters.add(this.#standing.slot, Counter.CLOSED_SLOW, 1);
    subscription.channel.joining.delete(subscription);
  }

  /** Nobody lags: what was rendered for those who did is of no use. */
  forget(): void {
    this.#pieces.forget();
    this.#frames.forget();
  }
}

/** Where a connection stands, if its format tells. */
const placeFor = (connection: StreamConnection | TopicPeer): Position | null =>
  connection.format.perConnection ? connection.place() : null;
