/**
 * The messages one delivery job carries: read from the store once, kept until every subscriber of the channel in this worker has
 * them. Bounded in count and bytes, so that a burst is cut into jobs and other channels get their turn.
 */
import { FLAG_DELETION } from "../message.ts";
import { Message } from "../store/message-view.ts";
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
  /** More than 0: the batch is a gap of so many messages and carries none. */
  missed = 0;
  /** The channel's end; its message is messages[0] when `hasText`, else the entry itself was evicted. */
  deletion = false;
  hasText = false;

  /** Takes the next messages from the channel's pending references. May come back empty with more pending: try again. */
  fill(store: Store, channel: LocalChannel): void {
    this.count = 0;
    this.missed = 0;
    this.deletion = false;
    this.hasText = false;
    this.previous = channel.delivered;
    this.to = channel.delivered;
    let bytes = 0;
    let lost = false;
    const { pending } = channel;
    while (channel.used < pending.length && this.count < MAX_MESSAGES && bytes < MAX_BYTES) {
      const m = this.#message(this.count);
      if (!store.read(pending.block(channel.used), pending.stamp(channel.used), m)) {
        lost = true;
        channel.used++;
        continue;
      }
      m.channel = channel.name;
      if ((m.flags & FLAG_DELETION) !== 0) {
        if (this.count > 0) break;
        channel.used++;
        this.deletion = true;
        this.hasText = true;
        channel.gone = true;
        break;
      }
      if (m.id > this.to + 1) {
        // A hole: messages were evicted before this worker read them. It is a batch of its own, told before what follows it.
        if (this.count === 0) this.#gapUpTo(m.id - 1);
        break;
      }
      channel.used++;
      if (m.id <= this.to) continue; // older than the first subscription here
      this.count++;
      this.to = m.id;
      bytes += m.dataLength;
    }
    if (channel.used < pending.length) return;
    pending.clear();
    channel.used = 0;
    // Messages behind the last one that was read, or the deletion itself, may be among the lost: the store knows.
    if (lost) channel.readAgain(store);
    if (this.count > 0 || this.missed > 0 || pending.length > 0) return;
    if (channel.gone) this.deletion = true;
    else if (channel.owedUpTo > this.to) this.#gapUpTo(channel.owedUpTo);
  }

  /** Lets go of the scratch buffers that one large message made large. */
  release(): void {
    for (const m of this.messages) if (m.bytes.length > KEEP_BYTES) m.bytes = new Uint8Array(KEEP_BYTES);
  }

  #gapUpTo(id: number): void {
    this.missed = Math.max(0, id - this.previous);
    this.to = Math.max(id, this.previous);
  }

  #message(i: number): Message {
    const known = this.messages[i];
    if (known !== undefined) return known;
    const made = new Message();
    this.messages.push(made);
    return made;
  }
}
