/**
 * The members of events as JSON, without the braces and without what every event has (batch.ts). Written when
 * an event is noted.
 */
import type { Message } from "../store/message/message-view.ts";
import type { ByteWriter } from "../wire/byte-writer.ts";
import { pushJsonString } from "../wire/json-string.ts";
import { isUtf8 } from "../wire/utf8.ts";

/** `life`: of a position in this channel alone (wire/position.ts). */
export function pushPublished(writer: ByteWriter, message: Message, life: string, base: number): void {
  const { bytes, eventIdLength, eventTypeLength, dataOffset, dataLength, traceLength, byLength } = message;
  pushTime(writer, message.time);
  writer.pushLatin1(',"position":"');
  writer.pushLatin1(`${life}-${base + message.id}`);
  writer.pushLatin1('"');
  const behind = dataOffset + dataLength;
  if (byLength > 0) pushText(writer, "sub", bytes, behind + traceLength, byLength);
  if (traceLength > 0) pushText(writer, "traceparent", bytes, behind, traceLength);
  if (eventIdLength >= 0) pushText(writer, "event_id", bytes, 0, eventIdLength);
  if (eventTypeLength >= 0)
    pushText(writer, "event_type", bytes, Math.max(0, eventIdLength), eventTypeLength);
  if (isUtf8(bytes, dataOffset, dataLength)) pushText(writer, "data", bytes, dataOffset, dataLength);
  else {
    // JSON holds no other bytes.
    writer.pushLatin1(',"data_base64":"');
    writer.pushLatin1(bytes.subarray(dataOffset, dataOffset + dataLength).toBase64());
    writer.pushLatin1('"');
  }
}

export function pushDeleted(writer: ByteWriter): void {
  pushTime(writer, Math.floor(Date.now() / 1000));
}

function pushTime(writer: ByteWriter, sec: number): void {
  writer.pushLatin1('"time":');
  writer.pushInteger(sec);
}

function pushText(writer: ByteWriter, key: string, bytes: Uint8Array, offset: number, length: number): void {
  writer.pushLatin1(`,"${key}":`);
  pushJsonString(writer, bytes, offset, length);
}
