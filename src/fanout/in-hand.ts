/**
 * A message that its publisher, in this very worker, still has in hand when the turn in which it was stored
 * ends: a piece of a handler's answer (handlers/running-answer.ts), of which there are many a second, each
 * for one watcher, mostly. It is written without a job, and without being read back from the store.
 *
 * Only where that changes nothing: it is all that is due in the channel, and everyone who stands there is a
 * live stream of the one format. Who lags, has just come or stands there by another transport sends the whole
 * channel down the ordinary road until he is gone or has caught up; so do two messages in one turn, which
 * share a write there. Writing it at once, before the turn ends, costs more: each write then wakes its reader
 * alone, and what a worker does between two writes is cold.
 */
import { Message } from "../store/message/message-view.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Format } from "./format.ts";
import type { LocalChannel, StreamGroup } from "./local-channel.ts";
import type { Standing } from "./standing.ts";

/** More are given theirs in slices. */
const MOST_MEMBERS = 8;
/** Larger ones are read from the store: their bytes would be kept here. */
const MOST_BYTES = 16 * 1024;

/** What a channel's publisher has in hand: nothing but data, for a format that tells neither time nor tag. */
export interface InHand {
  readonly id: number;
  readonly data: Uint8Array;
  readonly format: Format;
}

export class InHandCarrier {
  readonly #standing: Standing;
  readonly #writer = new ByteWriter();
  readonly #message = new Message();

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  /** Gives it to all who stand in the channel. False: nothing was done. */
  carry(channel: LocalChannel, { id, data, format }: InHand): boolean {
    const group = data.length > MOST_BYTES ? null : this.#everyone(channel, id, format);
    if (group === null) return false;
    const { members } = group;
    const bytes = this.#encoded(channel, id, data, format);
    channel.delivered = id;
    channel.due = false;
    channel.lastLiveMs = this.#standing.nowMs();
    const served = members.length;
    // From the end, as whoever turns out to be full leaves it.
    for (let at = served - 1; at >= 0; at--) {
      const subscription = members[at];
      if (subscription === undefined) continue;
      subscription.sentId = id;
      subscription.connection.send(bytes);
    }
    this.#standing.delivered(served, served * bytes.length);
    return true;
  }

  /** Those who stand there, if each of them is live and lacks this message and nothing else; else null. */
  #everyone(channel: LocalChannel, id: number, format: Format): StreamGroup | null {
    if (channel.delivered !== id - 1 || channel.gone || !this.#isNewest(channel, id)) return null;
    if (channel.behind.size + channel.joining.size + channel.waiting.length > 0) return null;
    if (channel.topics.length > 0 || channel.streams.length !== 1) return null;
    const group = channel.streams[0];
    if (group === undefined || group.format !== format || group.members.length > MOST_MEMBERS) return null;
    for (const { sentId } of group.members) if (sentId !== id - 1) return null;
    return group;
  }

  /** What came behind it, a deletion and events of who comes and goes included, is the job's. */
  #isNewest({ index, incarnation, deliveredNumber }: LocalChannel, id: number): boolean {
    const { store } = this.#standing;
    if (store.publishedCount(index) !== id || !store.isLive(index, incarnation)) return false;
    return store.members === null || store.positions.presenceNumber(index, incarnation) === deliveredNumber;
  }

  #encoded(channel: LocalChannel, id: number, data: Uint8Array, format: Format): Uint8Array {
    const message = this.#message;
    message.reserve(data.length);
    message.bytes.set(data);
    message.dataLength = data.length;
    message.id = id;
    message.channel = channel.name;
    this.#writer.reset();
    format.message(this.#writer, message, channel, null);
    return this.#writer.view();
  }
}
