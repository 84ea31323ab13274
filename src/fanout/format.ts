/**
 * A format is what turns messages into the bytes of one kind of subscriber: transport + template. The
 * subscribe side makes them at start, one object per location and protocol; fanout encodes each message once
 * per format object and hands the same bytes to every subscriber of it. Identity of the object is identity of
 * the encoding.
 */
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import type { Position } from "../wire/position.ts";
import type { LocalChannel } from "./local-channel.ts";

/** What is told of a gap: null where it cannot be counted (Positions.missedBetween). */
export const toldCount = (missed: number): number | null => (Number.isFinite(missed) ? missed : null);

/** How who comes and goes is told. */
export interface PresenceWords {
  /** Appends one event, whose body is JSON (store/members/presence-body.ts); `at` as in Format.message. */
  event(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void;
  /** Appends that so many events are gone, up to this number: the list has to be read again. */
  lost(writer: ByteWriter, channel: LocalChannel, missed: number, number: number, at: Position | null): void;
}

export interface Format {
  /** Unique within a worker; part of native topic names. */
  readonly key: string;
  /** The bytes differ per connection (several channels behind one event id), so they cannot be shared. */
  readonly perConnection: boolean;
  /** WebSocket: always binary frames. Otherwise text, unless the bytes are not UTF-8. */
  readonly binary: boolean;
  /** Whether `gap` can tell. */
  readonly tellsGaps: boolean;
  /** Absent: nobody asked who comes and goes, and nothing is said of it. */
  readonly presence?: PresenceWords | null;
  /**
   * Appends one message. `m.id` may be CHANNEL_DELETED_ID. `at` is where the connection stands behind it, in
   * all its channels, when the format is perConnection; otherwise null.
   */
  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void;
  /**
   * Appends "you missed so many messages" (null: it cannot be known how many), valid up to id `upTo`. Returns
   * false when the dialect has no words for it: the connection is then closed, as silence is not an option
   * (promise P2).
   */
  gap(
    writer: ByteWriter,
    channel: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean;
}
