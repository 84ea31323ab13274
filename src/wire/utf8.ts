/**
 * UTF-8 checks. fanout asks whether a rendered message may go out as a text frame (RFC 6455 5.6: text frames
 * are UTF-8); the JSON encoders walk sequences to replace broken ones.
 */
import { isUtf8 as nativeIsUtf8 } from "node:buffer";

/**
 * Short texts are looked at in JavaScript; beyond this the native check is quicker even with the view it
 * needs.
 */
const LOOP_BYTES = 48;

/** True if the range is well-formed UTF-8 (RFC 3629); the empty range is. */
export function isUtf8(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length <= LOOP_BYTES && isAscii(bytes, offset, length)) return true;
  return nativeIsUtf8(
    offset === 0 && length === bytes.length ? bytes : bytes.subarray(offset, offset + length),
  );
}

/**
 * For text that comes in pieces: -1 when [from, to) can not be the beginning of well-formed UTF-8, else where
 * its last sequence begins if that is not whole, else `to`. `from` has to be the start of a sequence.
 */
export function utf8Prefix(bytes: Uint8Array, from: number, to: number): number {
  const end = unfinishedSequence(bytes, from, to);
  if (!isUtf8(bytes, from, end - from)) return -1;
  return end === to || sequenceLength(bytes, end, to) === end - to ? end : -1;
}

/** Where the lead byte of a sequence stands that reaches beyond `to`; `to` when none does. */
const unfinishedSequence = (bytes: Uint8Array, from: number, to: number): number => {
  for (let at = to - 1; at >= Math.max(from, to - 3); at--) {
    const length = lengthByLead(bytes[at] ?? 0);
    if (length > to - at) return at;
    if (length > 0) return to;
  }
  return to;
};

/**
 * Length of the sequence at `at` (1..4) if it is well-formed and ends by `end`; else minus the number of
 * bytes that one U+FFFD stands for (the "maximal subpart" of Unicode 3.9, as TextDecoder does it).
 */
export function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const expected = lengthByLead(lead);
  if (expected === 0) return -1;
  for (let i = 1; i < expected; i++) {
    if (at + i >= end) return -i;
    const byte = bytes[at + i] ?? 0;
    const least = i === 1 ? leastSecond(lead) : 0x80;
    const most = i === 1 ? mostSecond(lead) : 0xbf;
    if (byte < least || byte > most) return -i;
  }
  return expected;
}

/** 0: no sequence begins with this byte. */
const lengthByLead = (lead: number): number => {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead <= 0xdf ? 2 : lead <= 0xef ? 3 : 4;
};

/** The second byte rules out overlong forms (E0, F0), surrogates (ED) and code points past U+10FFFF (F4). */
const leastSecond = (lead: number): number => (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80);
const mostSecond = (lead: number): number => (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf);

const isAscii = (bytes: Uint8Array, offset: number, length: number): boolean => {
  const end = offset + length;
  let seen = 0;
  for (let at = offset; at < end; at++) seen |= bytes[at] ?? 0;
  return seen < 0x80;
};
