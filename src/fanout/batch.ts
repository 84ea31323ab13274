/**
 * The messages one delivery job carries: read from the store once, kept until every subscriber of the channel
 * in this worker has them. Bounded in count and bytes, so that a burst is cut into jobs and other channels
 * get their turn.
 */
import { spend } from "../http/spent-bytes.ts";
import { FLAG_DELETION, FLAG_PRESENCE } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import type { Position } from "../wire/position.ts";
import type { Format } from "./format.ts";
import type { LastingSubscription, LocalChannel } from "./local-channel.ts";

const MAX_MESSAGES = 64;
/** What a job publishes is to fit behind what a socket may have unsent (slow-sockets.ts). */
const MAX_BYTES = 128 * 1024;
const KEEP_BYTES = 64 * 1024;

export class Batch {
  readonly messages: Message[] = [];
  count = 0;
  /** Of their data. */
  bytes = 0;
  /** Ids after `previous` up to and including `to` are covered by this batch. */
  previous = 0;
  to = 0;
  /**
   * More than 0: the batch is a gap of so many messages and carries none; infinite: they cannot be counted.
   */
  missed = 0;
  /**
   * It carries presence events, for those alone whose format tells them; a batch has either these or
   * messages.
   */
  isPresence = false;
  /** The same as `previous` and `to`, of their numbers. */
  previousNumber = 0;
  toNumber = 0;
  /** More than 0: so many events are gone, and the batch carries none. */
  lostEvents = 0;
  /** The channel's end; its message is messages[0] when `hasText`, else the entry itself was evicted. */
  deletion = false;
  hasText = false;
  /** Nothing could be read just now, though there may be something: fill it again in a moment. */
  isBusy = false;

  /** Takes what comes next in the channel. It stays `due` until its end was reached. */
  fill(store: Store, channel: LocalChannel): void {
    this.count = 0;
    this.bytes = 0;
    this.missed = 0;
    this.isPresence = false;
    this.lostEvents = 0;
    this.deletion = false;
    this.hasText = false;
    this.previous = channel.delivered;
    this.to = channel.delivered;
    const { index, incarnation } = channel;
    // Some of it was written without a job (in-hand.ts).
    channel.reader.skipTo(channel.delivered);
    if (channel.deliveredNumber === 0)
      channel.deliveredNumber = store.positions.presenceBegan(index, incarnation);
    this.previousNumber = channel.deliveredNumber;
    this.toNumber = channel.deliveredNumber;
    const owedNumber = store.positions.presenceNumber(index, incarnation);
    // Before anything is read: a message with this id or a smaller one is linked by now, or gone.
    const owed = store.publishedCount(channel.index);
    const isLive = store.isLive(channel.index, channel.incarnation);
    const outcome = this.#read(store, channel);
    this.isBusy = outcome === BUSY;
    if (outcome === FOUND || this.isBusy) return;
    const isBehind = isLive && owed > this.to;
    const isBehindEvents = isLive && owedNumber > this.toNumber;
    channel.due = this.count > 0 && (isBehind || isBehindEvents || !isLive);
    if (this.count > 0) return;
    // Messages behind the last one that could be read are gone.
    if (isBehind) this.#gapUpTo(store, channel, owed);
    else if (isBehindEvents) this.#lostUpTo(owedNumber);
    else if (!isLive || channel.gone) this.#end(store, channel);
  }

  /** Reads up to the batch's bounds, or to a hole: the last outcome of the reader. */
  #read(store: Store, channel: LocalChannel): number {
    const { reader } = channel;
    while (this.count < MAX_MESSAGES && this.bytes < MAX_BYTES) {
      const m = this.#message(this.count);
      const outcome = reader.next(m);
      if (outcome !== FOUND) return outcome;
      const isPresence = (m.flags & FLAG_PRESENCE) !== 0;
      if (this.count > 0 && isPresence !== this.isPresence) return FOUND;
      if (isPresence) {
        if (!this.#takeEvent(store, channel, m)) return FOUND;
        this.bytes += m.dataLength;
        continue;
      }
      if (m.id > this.to + 1 && store.positions.missedBetween(channel.index, this.to, m.id - 1) > 0) {
        // A hole: messages were evicted before this worker read them. It is a batch of its own, told before
        // what follows it.
        if (this.count === 0) this.#gapUpTo(store, channel, m.id - 1);
        return FOUND;
      }
      m.channel = channel.name;
      m.number = this.toNumber;
      reader.accept(m);
      this.count++;
      this.to = m.id;
      this.bytes += m.dataLength;
    }
    return FOUND;
  }

  /**
   * False: before it there is a hole, of messages or of events, and this batch is that hole, or ends before
   * it.
   */
  #takeEvent(store: Store, channel: LocalChannel, m: Message): boolean {
    const isAfterHole = m.id > this.to && store.positions.missedBetween(channel.index, this.to, m.id) > 0;
    if (isAfterHole || m.number > this.toNumber + 1) {
      if (this.count === 0 && isAfterHole) this.#gapUpTo(store, channel, m.id);
      else if (this.count === 0) this.#lostUpTo(m.number - 1);
      return false;
    }
    m.channel = channel.name;
    channel.reader.accept(m);
    this.isPresence = true;
    this.count++;
    this.to = Math.max(this.to, m.id);
    this.toNumber = m.number;
    return true;
  }

  #lostUpTo(number: number): void {
    this.isPresence = true;
    this.lostEvents = number - this.toNumber;
    this.toNumber = number;
  }

  /**
   * A channel that lives no more, read to its end. The ring's last entry of it is the deletion, if that was
   * taken already; if not, it will be. When it was evicted there is no text.
   */
  #end(store: Store, channel: LocalChannel): void {
    const m = this.#message(0);
    const isThere = store.history.read(channel.lastBlock, channel.lastStamp, m);
    this.hasText = isThere && (m.flags & FLAG_DELETION) !== 0;
    this.deletion = this.hasText || channel.gone || (channel.lastBlock !== 0 && !isThere);
    if (!this.deletion) return;
    m.channel = channel.name;
    channel.gone = true;
  }

  /** Presence events are for those alone who asked for them. */
  isFor({ presence }: Format): boolean {
    return !this.isPresence || Boolean(presence);
  }

  push(format: Format, writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void {
    if (this.isPresence) format.presence?.event(writer, m, channel, at);
    else format.message(writer, m, channel, at);
  }

  /** Tells that events are gone, if this batch is that. */
  pushLost({ presence }: Format, writer: ByteWriter, channel: LocalChannel, at: Position | null): void {
    if (this.lostEvents > 0) presence?.lost(writer, channel, this.lostEvents, this.toNumber, at);
  }

  /** Whether somebody had it already. */
  wasGiven(m: Message, { sentId, sentNumber }: LastingSubscription): boolean {
    return this.isPresence ? m.number <= sentNumber : m.id <= sentId;
  }

  give(m: Message, subscription: LastingSubscription): void {
    if (this.isPresence) subscription.sentNumber = m.number;
    else subscription.sentId = m.id;
  }

  /** Whether somebody has all of it, or stands where it begins. */
  hasAll({ sentId, sentNumber }: LastingSubscription): boolean {
    return this.isPresence ? sentNumber >= this.toNumber : sentId >= this.to;
  }

  isNext({ sentId, sentNumber }: LastingSubscription): boolean {
    return this.isPresence ? sentNumber === this.previousNumber : sentId === this.previous;
  }

  giveAll(subscription: LastingSubscription): void {
    if (this.isPresence) subscription.sentNumber = this.toNumber;
    else subscription.sentId = this.to;
  }

  /** Lets go of the scratch buffers that one large message made large. */
  release(): void {
    for (const m of this.messages) {
      if (m.bytes.length <= KEEP_BYTES) continue;
      spend(m.bytes);
      m.bytes = new Uint8Array(KEEP_BYTES);
    }
  }

  #gapUpTo(store: Store, channel: LocalChannel, id: number): void {
    this.missed = store.positions.missedBetween(channel.index, this.previous, id);
    this.to = Math.max(id, this.previous);
    // Nothing but a jump, which is nobody's loss (store/jumps.ts): no job is made of it.
    if (this.missed === 0) channel.delivered = this.to;
  }

  #message(i: number): Message {
    const known = this.messages[i];
    if (known !== undefined) return known;
    const made = new Message();
    this.messages.push(made);
    return made;
  }
}
