/**
 * A field line (RFC 9112, 5), and what is decided from it while it is at hand: how long the body is, whether
 * the connection stays, which host is meant. Used by parse-head.ts; the lines of trailers are walked by the
 * same rules (body-reader.ts).
 */

import { isHost } from "./host.ts";
import {
  CLASS,
  COLON,
  COMMA,
  DIGIT,
  HTAB,
  INCOMPLETE,
  isText,
  PLAIN_NAME,
  pastLineEnd,
  SP,
  TOKEN,
  VALUE,
} from "./octets.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Where the parts of the last whole line are; one for all, since nothing waits between parsing and reading
 * it.
 */
export const line = { nameEnd: 0, valueStart: 0, valueEnd: 0, isPlain: false };

/**
 * Walks a line that is not empty, into `line`: past it, INCOMPLETE, or -400. No obs-fold, no space before the
 * colon (RFC 9112, 5.1 and 5.2).
 */
export function parseFieldLine(bytes: Uint8Array, start: number, stop: number): number {
  let at = start;
  let common = PLAIN_NAME;
  for (; at < stop; at++) {
    const found = CLASS[bytes[at]!]!;
    if ((found & TOKEN) === 0) break;
    common &= found;
  }
  if (at >= stop) return INCOMPLETE;
  if (bytes[at] !== COLON || at === start) return -400;
  line.nameEnd = at++;
  while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at++;
  const valueStart = at;
  while (at < stop && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
  if (at >= stop) return INCOMPLETE;
  const next = pastLineEnd(bytes, at, stop);
  while (at > valueStart && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;
  line.valueStart = valueStart;
  line.valueEnd = at;
  line.isPlain = common !== 0;
  return next;
}

/**
 * Notes the field in `line`, which began at `start` and ended at `next`, and what it decides: 0, or minus a
 * status.
 */
export function noteField(
  bytes: Uint8Array,
  start: number,
  next: number,
  head: RequestHead,
  mostFields: number,
): number {
  const { nameEnd, valueStart, valueEnd } = line;
  if (!head.add(start, nameEnd, valueStart, valueEnd, mostFields)) return -431;
  switch (nameEnd - start) {
    case 4:
      return isText(bytes, start, nameEnd, "host") ? noteHost(bytes, next, head) : 0;
    case 6:
      if (isText(bytes, start, nameEnd, "expect"))
        head.expectsContinue = head.minor > 0 && isText(bytes, valueStart, valueEnd, "100-continue");
      return 0;
    case 7:
      if (isText(bytes, start, nameEnd, "upgrade")) noteTokens(bytes, head, noteUpgrade);
      return 0;
    case 10:
      if (isText(bytes, start, nameEnd, "connection")) noteTokens(bytes, head, noteConnection);
      return 0;
    case 14:
      return isText(bytes, start, nameEnd, "content-length") ? noteContentLength(bytes, next, head) : 0;
    case 17:
      return isText(bytes, start, nameEnd, "transfer-encoding") ? noteCoding(bytes, next, head) : 0;
    default:
      return 0;
  }
}

/** Exactly one, and a possible one (RFC 9112, 3.2). A target in absolute-form has named the host already. */
function noteHost(bytes: Uint8Array, next: number, head: RequestHead): number {
  const { nameEnd, valueStart, valueEnd } = line;
  if (hasTab(bytes, nameEnd, valueStart) || hasTab(bytes, valueEnd, next)) return -400;
  if (head.hostField >= 0 || !isHost(bytes, valueStart, valueEnd)) return -400;
  head.hostField = head.fieldCount - 1;
  if (head.isAbsolute) return 0;
  head.hostStart = valueStart;
  head.hostEnd = valueEnd;
  return 0;
}

/**
 * Digits, once: repeated or in a list it is refused, also when all say the same (RFC 9112, 6.3: MAY; as
 * nginx).
 */
function noteContentLength(bytes: Uint8Array, next: number, head: RequestHead): number {
  const { nameEnd, valueStart, valueEnd } = line;
  if (head.contentLength >= 0 || head.isChunked || valueStart === valueEnd) return -400;
  if (hasTab(bytes, nameEnd, valueStart) || hasTab(bytes, valueEnd, next)) return -400;
  let length = 0;
  for (let at = valueStart; at < valueEnd; at++) {
    const byte = bytes[at]!;
    if ((CLASS[byte]! & DIGIT) === 0) return -400;
    length = length * 10 + (byte - 0x30);
    if (length > Number.MAX_SAFE_INTEGER) return -400;
  }
  head.contentLength = length;
  return 0;
}

/**
 * "chunked", once, in 1.1, without Content-Length: all else would let two readers see two bodies (RFC 9112,
 * 6.1 and 6.3).
 */
function noteCoding(bytes: Uint8Array, next: number, head: RequestHead): number {
  const { nameEnd, valueStart, valueEnd } = line;
  if (head.minor === 0 || head.isChunked || head.contentLength >= 0) return -400;
  if (!isText(bytes, valueStart, valueEnd, "chunked")) return -501;
  if (hasTab(bytes, nameEnd, valueStart) || hasTab(bytes, valueEnd, next)) return -501;
  head.isChunked = true;
  return 0;
}

/**
 * A tab around a value is optional whitespace, but there are servers that take it for part of the value
 * (nginx is one): in the fields that say how long the body is and whom it is for it is refused, so that
 * nobody before or behind us reads something else.
 */
function hasTab(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === HTAB) return true;
  return false;
}

type NoteToken = (bytes: Uint8Array, start: number, end: number, head: RequestHead) => void;

/** Each element of the list in `line` (RFC 9110, 5.6.1). */
function noteTokens(bytes: Uint8Array, head: RequestHead, note: NoteToken): void {
  const { valueEnd } = line;
  let start = line.valueStart;
  for (let at = start; at <= valueEnd; at++) {
    if (at < valueEnd && bytes[at] !== COMMA) continue;
    let end = at;
    while (start < end && (bytes[start] === SP || bytes[start] === HTAB)) start++;
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
    note(bytes, start, end, head);
    start = at + 1;
  }
}

function noteConnection(bytes: Uint8Array, start: number, end: number, head: RequestHead): void {
  if (isText(bytes, start, end, "keep-alive")) head.hasKeepAlive = true;
  else if (isText(bytes, start, end, "close")) head.hasClose = true;
  else if (isText(bytes, start, end, "upgrade")) head.hasConnectionUpgrade = true;
}

function noteUpgrade(bytes: Uint8Array, start: number, end: number, head: RequestHead): void {
  if (isText(bytes, start, end, "websocket")) head.upgradesToWebSocket = true;
}
