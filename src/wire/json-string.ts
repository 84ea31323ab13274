/**
 * Bytes to a JSON string (RFC 8259 7) without a JavaScript string in between. Used for channel ids in
 * statistics, for gap events and for the sluice.json.v1 subprotocol.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { sequenceLength } from "./utf8.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const FIRST_NOT_ASCII = 0x80;

const REPLACEMENT = new TextEncoder().encode("\ufffd");

/** What stands for a byte inside a string; index = byte, null = itself. */
const ESCAPES: readonly (string | null)[] = Array.from({ length: FIRST_NOT_ASCII }, (_, byte) =>
  byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH
    ? JSON.stringify(String.fromCharCode(byte)).slice(1, -1)
    : null,
);

/** Appends a range of UTF-8 as a quoted JSON string; broken sequences become U+FFFD. */
export function pushJsonString(writer: ByteWriter, bytes: Uint8Array, offset: number, length: number): void {
  const end = offset + length;
  writer.reserve(length + 2);
  writer.pushByte(QUOTE);
  let kept = offset;
  for (let at = offset; at < end; ) {
    const byte = bytes[at] ?? 0;
    if (byte >= FIRST_PRINTABLE && byte < FIRST_NOT_ASCII && byte !== QUOTE && byte !== BACKSLASH) {
      at++;
      continue;
    }
    const sequence = byte < FIRST_NOT_ASCII ? 0 : sequenceLength(bytes, at, end);
    if (sequence > 0) {
      at += sequence;
      continue;
    }
    writer.pushRange(bytes, kept, at - kept);
    at = pushReplaced(writer, byte, at, sequence);
    kept = at;
  }
  writer.pushRange(bytes, kept, end - kept);
  writer.pushByte(QUOTE);
}

/** Appends an escape (sequence 0) or U+FFFD (sequence below 0); where to go on is returned. */
const pushReplaced = (writer: ByteWriter, byte: number, at: number, sequence: number): number => {
  if (sequence < 0) {
    writer.pushBytes(REPLACEMENT);
    return at - sequence;
  }
  writer.pushLatin1(ESCAPES[byte] ?? "");
  return at + 1;
};
