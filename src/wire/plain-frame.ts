/**
 * Reads the commonest frame of a client of sluice.json.v1 from its bytes: `kind` "publish", `channel`, `data`
 * and a `ref` of digits, in any order, texts without an escape, no blanks. Used by
 * subscribe/client-messages.ts: JSON.parse, and what goes from bytes to text and back again with it, takes
 * at least twice as long. Whatever looks different is for client-frame.ts to read.
 */
import type { PublishFrame } from "./client-frame.ts";

const encoder = new TextEncoder();
const KIND = encoder.encode('"kind":"publish"');
const REF = encoder.encode('"ref":');
const CHANNEL = encoder.encode('"channel":"');
const DATA = encoder.encode('"data":"');

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const OPENED = 0x7b;
const CLOSED = 0x7d;
const FIRST_PRINTABLE = 0x20;
/** Of a ref: more may be no exact number. */
const MOST_DIGITS = 15;
/** Of a channel's name. */
const MOST_KEPT = 1024;

/** Clients publish to the same channel again and again. Nobody writes to these bytes. */
let lastChannel = new Uint8Array(0);

/** null: it is another, or none. The first `length` bytes: UTF-8; the data is a view of them. */
export function readPlainFrame(bytes: Buffer, length: number): PublishFrame | null {
  if (length < 2 || bytes[0] !== OPENED || bytes[length - 1] !== CLOSED) return null;
  let isPublish = false;
  let ref = -1;
  let channel = -1;
  let channelEnd = -1;
  let data = -1;
  let dataEnd = -1;
  for (let at = 1; ; at++) {
    if (!isPublish && isAt(bytes, at, KIND)) {
      isPublish = true;
      at += KIND.length;
    } else if (data < 0 && isAt(bytes, at, DATA)) {
      data = at + DATA.length;
      dataEnd = textEnd(bytes, data, length);
      if (dataEnd < 0) return null;
      at = dataEnd + 1;
    } else if (channel < 0 && isAt(bytes, at, CHANNEL)) {
      channel = at + CHANNEL.length;
      channelEnd = textEnd(bytes, channel, length);
      if (channelEnd < 0) return null;
      at = channelEnd + 1;
    } else if (ref < 0 && isAt(bytes, at, REF)) {
      const end = digitsEnd(bytes, at + REF.length);
      if (end < 0) return null;
      ref = numberIn(bytes, at + REF.length, end);
      at = end;
    } else return null;
    if (at === length - 1) break;
    if (bytes[at] !== COMMA) return null;
  }
  if (!isPublish || data < 0) return null;
  return {
    kind: "publish",
    ref: ref < 0 ? null : ref,
    channel: channel < 0 ? null : channelIn(bytes, channel, channelEnd),
    data: bytes.subarray(data, dataEnd),
    key: null,
    trace: null,
  };
}

function isAt(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

/** Where the quote stands; -1: there is an escape before, a control character, or none. */
function textEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < FIRST_PRINTABLE) return -1;
  }
  return -1;
}

/** -1: it is no number of digits alone, as JSON has them. */
function digitsEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at - start <= MOST_DIGITS && isDigit(bytes[at] ?? 0)) at++;
  const count = at - start;
  const hasLeadingZero = count > 1 && bytes[start] === ZERO;
  return count === 0 || count > MOST_DIGITS || hasLeadingZero ? -1 : at;
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

function numberIn(bytes: Uint8Array, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at++) number = number * 10 + (bytes[at] ?? ZERO) - ZERO;
  return number;
}

function channelIn(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (lastChannel.length === end - start && isAt(bytes, start, lastChannel)) return lastChannel;
  const channel = Uint8Array.from(bytes.subarray(start, end));
  if (channel.length <= MOST_KEPT) lastChannel = channel;
  return channel;
}
