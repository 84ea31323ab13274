/**
 * Whether a Host field or a target's authority can be one (RFC 9112, 3.2; RFC 3986, 3.2.2): host characters,
 * a port of digits, no user information. As in nginx, an empty name, "." and two dots in a row are refused:
 * no server is called so.
 */
import { CLASS, COLON, DIGIT, HOST } from "./octets.ts";

const DOT = 0x2e;
const OPENING = 0x5b;
const CLOSING = 0x5d;

export function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  const nameEnd = bytes[start] === OPENING ? addressEnd(bytes, start, end) : nameEndOf(bytes, start, end);
  if (nameEnd <= start) return false;
  if (nameEnd === end) return true;
  for (let i = nameEnd + 1; i < end; i++) {
    if ((CLASS[bytes[i]!]! & DIGIT) === 0) return false;
  }
  return bytes[nameEnd] === COLON;
}

/** Past the name; `start` if it is none. */
function nameEndOf(bytes: Uint8Array, start: number, end: number): number {
  let before = 0;
  let i = start;
  for (; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === COLON) break;
    if ((CLASS[byte]! & HOST) === 0 || byte === OPENING || byte === CLOSING) return start;
    if (byte === DOT && before === DOT) return start;
    before = byte;
  }
  return i === start + 1 && before === DOT ? start : i;
}

/** Past the closing bracket of an IP literal. Which address it is, nobody here asks. */
function addressEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start + 1; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === CLOSING) return i > start + 1 ? i + 1 : start;
    if ((CLASS[byte]! & HOST) === 0 || byte === OPENING) return start;
  }
  return start;
}
