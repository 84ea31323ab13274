/**
 * Messages for handlers that subscribe: the format that fan-out encodes them in (once for all handlers of the
 * worker), and the way back to objects.
 *
 *   m id time channelLength eventIdLength eventTypeLength dataLength traceLength LF
 *     channel eventId eventType data trace
 *   g missed channelLength LF channel          so many messages before the next one are lost
 *   d LF                                       the channel was deleted
 *
 * A length of -1: there is none.
 */
import type { Message as HandlerMessage } from "sluice";
import type { Format } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { CHANNEL_DELETED_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";

const LINE_FEED = 0x0a;
const MESSAGE = "m";
const GAP = "g";

class MessageFormat implements Format {
  readonly key = "handler";
  readonly perConnection = false;
  readonly binary = true;
  readonly tellsGaps = true;

  message(writer: ByteWriter, m: Message, channel: LocalChannel): void {
    if (m.id === CHANNEL_DELETED_ID) {
      writer.pushLatin1("d\n");
      return;
    }
    writer.pushLatin1(MESSAGE);
    for (const number of [
      m.id,
      m.time,
      channel.name.length,
      m.eventIdLength,
      m.eventTypeLength,
      m.dataLength,
      m.traceLength,
    ]) {
      writer.pushLatin1(" ");
      writer.pushInteger(number);
    }
    writer.pushByte(LINE_FEED);
    writer.pushBytes(channel.name);
    // Event id, event type, data and trace lie one behind the other.
    writer.pushRange(m.bytes, 0, m.dataOffset + m.dataLength + m.traceLength);
  }

  gap(writer: ByteWriter, channel: LocalChannel, missed: number | null): boolean {
    writer.pushLatin1(`${GAP} `);
    writer.pushInteger(missed ?? 0);
    writer.pushLatin1(" ");
    writer.pushInteger(channel.name.length);
    writer.pushByte(LINE_FEED);
    writer.pushBytes(channel.name);
    return true;
  }
}

/** One for the worker: identity of a format is identity of its encoding. */
export const messageFormat: Format = new MessageFormat();

export interface Decoded {
  readonly messages: readonly HandlerMessage[];
  /** How many channels of the subscription were deleted. */
  readonly deletions: number;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * `missed` counts by channel what is to be told with its next message; it is kept by the caller. `bytes` must
 * be the reader's own.
 */
export function decodeMessages(bytes: Uint8Array, missed: Map<string, number>): Decoded {
  const messages: HandlerMessage[] = [];
  let deletions = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LINE_FEED, at);
    const [kind, ...numbers] = decoder.decode(bytes.subarray(at, end)).split(" ");
    at = end + 1;
    const take = (length: number): Uint8Array => {
      const start = at;
      at += Math.max(length, 0);
      return bytes.subarray(start, at);
    };
    if (kind === GAP) {
      const [count = 0, nameLength = 0] = numbers.map(Number);
      const channel = decoder.decode(take(nameLength));
      missed.set(channel, (missed.get(channel) ?? 0) + count);
    } else if (kind === MESSAGE) {
      const [
        id = 0,
        time = 0,
        nameLength = 0,
        eventIdLength = -1,
        eventTypeLength = -1,
        dataLength = 0,
        traceLength = 0,
      ] = numbers.map(Number);
      const channel = decoder.decode(take(nameLength));
      const eventId = textOf(take(eventIdLength), eventIdLength);
      const eventType = textOf(take(eventTypeLength), eventTypeLength);
      const data = take(dataLength);
      const traceparent = traceLength > 0 ? decoder.decode(take(traceLength)) : null;
      const lost = missed.get(channel) ?? 0;
      missed.delete(channel);
      messages.push(
        new ReceivedMessage({ channel, id, time, eventId, eventType, traceparent, missed: lost }, data),
      );
    } else deletions++;
  }
  return { messages, deletions };
}

const textOf = (bytes: Uint8Array, length: number): string | null =>
  length < 0 ? null : decoder.decode(bytes);

type Fields = Omit<HandlerMessage, "data" | "text">;

class ReceivedMessage implements HandlerMessage {
  readonly channel: string;
  readonly id: number;
  readonly time: number;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly traceparent: string | null;
  readonly missed: number;
  readonly data: Uint8Array;

  constructor(fields: Fields, data: Uint8Array) {
    this.channel = fields.channel;
    this.id = fields.id;
    this.time = fields.time;
    this.eventId = fields.eventId;
    this.eventType = fields.eventType;
    this.traceparent = fields.traceparent;
    this.missed = fields.missed;
    this.data = data;
  }

  get text(): string {
    return decoder.decode(this.data);
  }
}
