/**
 * The messages one delivery job carries: read from the store once, kept until every subscriber of the channel in this worker has
 * them. Bounded in count and bytes, so that a burst is cut into jobs and other channels get their turn.
 */
import { FLAG_DELETION } from "../message.ts";
import { Message } from "../store/message-view.ts";
import { BUSY } from "../store/outcome.ts";
import { FOUND } from "../store/reader.ts";
import type { Store } from "../store/store.ts";
import type { LocalChannel } from "./local-channel.ts";

const MAX_MESSAGES = 64;
/** What a job publishes is to fit behind what a socket may have unsent (slow-sockets.ts). */
const MAX_BYTES = 128 * 1024;
const KEEP_BYTES = 64 * 1024;

export class Batch {
  readonly messages: Message[] = [];
  count = 0;
  /** Ids after `previous` up to and including `to` are covered by this batch. */
  previous = 0;
  to = 0;
  /** More than 0: the batch is a gap of so many messages and carries none; infinite: they cannot be counted. */
  missed = 0;
  /** The channel's end; its message is messages[0] when `hasText`, else the entry itself was evicted. */
  deletion = false;
  hasText = false;
  /** Nothing could be read just now, though there may be something: fill it again in a moment. */
  isBusy = false;

  /** Takes what comes next in the channel. It stays `due` until its end was reached. */
  fill(store: Store, channel: LocalChannel): void {
    this.count = 0;
    this.missed = 0;
    this.deletion = false;
    this.hasText = false;
    this.previous = channel.delivered;
    this.to = channel.delivered;
    // Before anything is read: a message with this id or a smaller one is linked by now, or gone.
    const owed = store.publishedCount(channel.index);
    const isLive = store.isLive(channel.index, channel.incarnation);
    const outcome = this.#read(store, channel);
    this.isBusy = outcome === BUSY;
    if (outcome === FOUND || this.isBusy) return;
    const isBehind = isLive && owed > this.to;
    channel.due = this.count > 0 && (isBehind || !isLive);
    if (this.count > 0) return;
    // Messages behind the last one that could be read are gone.
    if (isBehind) this.#gapUpTo(store, channel, owed);
    else if (!isLive || channel.gone) this.#end(store, channel);
  }

  /** Reads up to the batch's bounds, or to a hole: the last outcome of the reader. */
  #read(store: Store, channel: LocalChannel): number {
    const { reader } = channel;
    let bytes = 0;
    while (this.count < MAX_MESSAGES && bytes < MAX_BYTES) {
      const m = this.#message(this.count);
      const outcome = reader.next(m);
      if (outcome !== FOUND) return outcome;
      if (m.id > this.to + 1 && store.missedBetween(channel.index, this.to, m.id - 1) > 0) {
        // A hole: messages were evicted before this worker read them. It is a batch of its own, told before what follows it.
        if (this.count === 0) this.#gapUpTo(store, channel, m.id - 1);
        return FOUND;
      }
      m.channel = channel.name;
      reader.accept(m);
      this.count++;
      this.to = m.id;
      bytes += m.dataLength;
    }
    return FOUND;
  }

  /**
   * A channel that lives no more, read to its end. The ring's last entry of it is the deletion, if that was taken already; if not, it
   * will be. When it was evicted there is no text.
   */
  #end(store: Store, channel: LocalChannel): void {
    const m = this.#message(0);
    const isThere = store.read(channel.lastBlock, channel.lastStamp, m);
    this.hasText = isThere && (m.flags & FLAG_DELETION) !== 0;
    this.deletion = this.hasText || channel.gone || (channel.lastBlock !== 0 && !isThere);
    if (!this.deletion) return;
    m.channel = channel.name;
    channel.gone = true;
  }

  /** Lets go of the scratch buffers that one large message made large. */
  release(): void {
    for (const m of this.messages) if (m.bytes.length > KEEP_BYTES) m.bytes = new Uint8Array(KEEP_BYTES);
  }

  #gapUpTo(store: Store, channel: LocalChannel, id: number): void {
    this.missed = store.missedBetween(channel.index, this.previous, id);
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
