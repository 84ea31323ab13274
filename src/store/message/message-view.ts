/**
 * A message as read out of the store: plain numbers and one byte buffer that is reused for the next message.
 * Filled by read() and readHeader(); kept by the caller. The bytes are a private copy, because the block
 * under them may be overwritten by another process at any time.
 */
import { takeRoom } from "../../http/spent-bytes.ts";

const FIRST_BYTES = 1024;

const NO_NAME = new Uint8Array(0);

export class Message {
  /** Record of the channel; with `incarnation`, who it is. */
  channelIndex = 0;
  /** Name of the channel. Not filled in by read(): encoders need it, and whoever calls them knows it. */
  channel: Uint8Array = NO_NAME;
  incarnation = 0;
  /** 1, 2, 3 … in the channel; CHANNEL_DELETED_ID for a deletion. */
  id = 0;
  time = 0;
  tag = 0;
  flags = 0;
  stamp = 0;
  block = 0;
  /**
   * Of a presence event: its number in the channel. Of a message: set by whoever hands it on, the number of
   * the last event before it.
   */
  number = 0;
  /** Zone-wide publish order; also the entry's place in the dispatch ring (its low word). */
  serial = 0;
  /** Second at which it expires. */
  expires = 0;
  /** event id | event type | data | trace | by. Longer than the message: use the lengths. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** -1 = the message has no event id. */
  eventIdLength = -1;
  /** -1 = the message has no event type; it begins behind the event id. */
  eventTypeLength = -1;
  dataOffset = 0;
  dataLength = 0;
  /** Of its `traceparent` behind the data, 0 without one; it is there where the data is. */
  traceLength = 0;
  /** Bytes behind those that say who published it; they are there where the data is. */
  byLength = 0;

  /** Makes room for `length` bytes; what was there is lost. */
  reserve(length: number): void {
    if (this.bytes.length >= length) return;
    this.bytes = takeRoom(Math.max(length, this.bytes.length * 2), length);
  }
}
