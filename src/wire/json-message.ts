/**
 * The WebSocket subprotocol sluice.json.v1: one JSON object per text frame. Encoders are used by fanout (once
 * per message, not per connection).
 *
 * Encoded by hand from UTF-8 bytes to UTF-8 bytes: going through strings and JSON.stringify would decode and
 * encode the data again.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import { type Position, pushPosition } from "./position.ts";
import type { Renderable } from "./renderable.ts";
import { isUtf8 } from "./utf8.ts";

/** A constant frame: nothing in it depends on the connection. */
export const JSON_PING = '{"kind":"ping"}';

/** Appends a message frame; `at` is where the whole connection stands behind it. */
export function pushJsonMessage(writer: ByteWriter, message: Renderable, at: Position): void {
  writer.pushLatin1('{"kind":"message","channel":');
  pushJsonString(writer, message.channel, 0, message.channel.length);
  writer.pushLatin1(',"id":');
  writer.pushInteger(message.id);
  pushPositionField(writer, at);
  writer.pushLatin1(',"time":');
  writer.pushInteger(message.time);
  writer.pushLatin1(',"tag":');
  writer.pushInteger(message.tag);
  if (message.eventIdLength >= 0) {
    writer.pushLatin1(',"event_id":');
    pushJsonString(writer, message.bytes, 0, message.eventIdLength);
  }
  if (message.eventTypeLength >= 0) {
    writer.pushLatin1(',"event_type":');
    pushJsonString(writer, message.bytes, Math.max(message.eventIdLength, 0), message.eventTypeLength);
  }
  // Digits and dashes: nothing to quote.
  if (message.traceLength > 0) {
    writer.pushLatin1(',"traceparent":"');
    writer.pushRange(message.bytes, message.dataOffset + message.dataLength, message.traceLength);
    writer.pushLatin1('"');
  }
  pushData(writer, message.bytes, message.dataOffset, message.dataLength);
  writer.pushLatin1("}");
}

/** Appends a gap frame; missed null = cannot be known. The position is the one behind the gap. */
export function pushJsonGap(
  writer: ByteWriter,
  channel: Uint8Array,
  missed: number | null,
  at: Position,
): void {
  writer.pushLatin1('{"kind":"gap","channel":');
  pushJsonString(writer, channel, 0, channel.length);
  writer.pushLatin1(',"missed":');
  if (missed === null) writer.pushLatin1("null");
  else writer.pushInteger(missed);
  pushPositionField(writer, at);
  writer.pushLatin1("}");
}

/** Appends the frame that says a channel was deleted; `text` is the deletion text (push-stream spec 2.7). */
export function pushJsonDeleted(writer: ByteWriter, channel: Uint8Array, text: Uint8Array): void {
  writer.pushLatin1('{"kind":"deleted","channel":');
  pushJsonString(writer, channel, 0, channel.length);
  pushData(writer, text, 0, text.length);
  writer.pushLatin1("}");
}

/** Appends the first frame of a connection: its channels in path order, and where it stands. */
export function pushJsonHello(writer: ByteWriter, channels: readonly Uint8Array[], at: Position): void {
  writer.pushLatin1('{"kind":"hello","channels":[');
  for (const [index, channel] of channels.entries()) {
    if (index > 0) writer.pushLatin1(",");
    pushJsonString(writer, channel, 0, channel.length);
  }
  writer.pushLatin1("]");
  pushPositionField(writer, at);
  writer.pushLatin1("}");
}

const pushPositionField = (writer: ByteWriter, at: Position): void => {
  writer.pushLatin1(',"position":"');
  pushPosition(writer, at);
  writer.pushLatin1('"');
};

/** JSON cannot hold arbitrary bytes: data that is not UTF-8 goes out as base64 under another name. */
const pushData = (writer: ByteWriter, bytes: Uint8Array, offset: number, length: number): void => {
  if (isUtf8(bytes, offset, length)) {
    writer.pushLatin1(',"data":');
    pushJsonString(writer, bytes, offset, length);
    return;
  }
  writer.pushLatin1(',"data_base64":"');
  writer.pushLatin1(bytes.subarray(offset, offset + length).toBase64());
  writer.pushLatin1('"');
};
