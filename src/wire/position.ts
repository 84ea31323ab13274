/**
 * Positions a client sends back to go on where it stopped: sluice's own token (`<life>-<pos>[,<pos>…]`, one
 * position per channel of the connection, in path order; `<pos>~<number>` for those who are told who comes
 * and goes) and the tag of push-stream spec 4.7. Written by fanout, read by subscribe.
 *
 * The life says what the numbers count: it is made of the store's epoch and the names of the channels, so a
 * token of a lost store, of other channels or of the same in another order is recognised as foreign and never
 * taken for a place in these.
 *
 * Only the canonical spelling is read: what parsePosition accepts, formatPosition writes again byte for byte.
 */
import type { ByteWriter } from "./byte-writer.ts";

/** 2^53 - 1 has 11 digits in base 36 and 16 in base 10. */
const MAX_LIFE_DIGITS = 11;
const MAX_POSITION_DIGITS = 16;
const DASH = 0x2d;
const COMMA = 0x2c;
const TILDE = 0x7e;
const ZERO = 0x30;
const LOWER_A = 0x61;

/** What is counted, and how far each channel was read: integers below 2^53. */
export interface Position {
  readonly life: string;
  readonly positions: readonly number[];
  /** Of those who are told who comes and goes: the number of the last such event in each channel; 0: none. */
  readonly numbers?: readonly number[];
}

const SLASH = 0x2f;
/** So that the text is that of an integer below 2^53. */
const LIFE_BITS = 0xffff_ffff_ffffn;

/**
 * The life of these channels, in path order, in a store of this epoch. Names hold no slash (push-stream spec
 * 3.1).
 */
export function lifeOf(epoch: number, names: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(names.reduce((sum, name) => sum + name.length + 1, 0));
  let at = 0;
  for (const name of names) {
    bytes.set(name, at);
    at += name.length;
    bytes[at++] = SLASH;
  }
  return (Bun.hash.wyhash(bytes, BigInt(epoch)) & LIFE_BITS).toString(36);
}

/** Appends the token; at least one position. */
export function pushPosition(writer: ByteWriter, { life, positions, numbers }: Position): void {
  writer.pushLatin1(life);
  for (let i = 0; i < positions.length; i++) {
    writer.pushByte(i === 0 ? DASH : COMMA);
    writer.pushInteger(positions[i] ?? 0);
    const number = numbers?.[i] ?? 0;
    if (number === 0) continue;
    writer.pushByte(TILDE);
    writer.pushInteger(number);
  }
}

/** The token as text; at least one position. */
export function formatPosition({ life, positions, numbers }: Position): string {
  const places = positions.map((position, i) => {
    const number = numbers?.[i] ?? 0;
    return number === 0 ? position : `${position}~${number}`;
  });
  return `${life}-${places.join(",")}`;
}

/**
 * Reads a token with at most `maxPositions` positions; null for anything else, over-long numbers and leading
 * zeros included.
 */
export function parsePosition(text: string, maxPositions: number): Position | null {
  const dash = text.indexOf("-");
  if (dash < 0) return null;
  if (parseDigits(text, 0, dash, 36, MAX_LIFE_DIGITS) < 0) return null;
  const life = text.slice(0, dash);
  const positions: number[] = [];
  const numbers: number[] = [];
  for (let start = dash + 1; ; ) {
    if (positions.length === maxPositions) return null;
    const comma = text.indexOf(",", start);
    const end = comma < 0 ? text.length : comma;
    const tilde = text.indexOf("~", start);
    const hasNumber = tilde >= 0 && tilde < end;
    const position = parseDigits(text, start, hasNumber ? tilde : end, 10, MAX_POSITION_DIGITS);
    const number = hasNumber ? parseDigits(text, tilde + 1, end, 10, MAX_POSITION_DIGITS) : 0;
    // A number of 0 is not written.
    if (position < 0 || number < 0 || (hasNumber && number === 0)) return null;
    positions.push(position);
    numbers.push(number);
    if (comma < 0) return numbers.some((any) => any > 0) ? { life, positions, numbers } : { life, positions };
    start = comma + 1;
  }
}

/**
 * The tag in an If-None-Match value (push-stream spec 4.7): decimal digits, `W/` before them allowed, as the
 * module sends it; or `W/"…"`, the weak entity tag (RFC 9110 8.8.3) that we send. null = absent, which is
 * what other quotes, an empty value, letters and numbers past 2^53 mean.
 */
export function parseTag(value: string): number | null {
  const isQuoted = value.length > 3 && value.startsWith('W/"') && value.endsWith('"');
  const start = isQuoted ? 3 : value.startsWith("W/") ? 2 : 0;
  const end = isQuoted ? value.length - 1 : value.length;
  if (start === end) return null;
  let tag = 0;
  for (let at = start; at < end; at++) {
    const digit = digitAt(value, at);
    if (digit < 0 || digit > 9) return null;
    tag = tag * 10 + digit;
    if (tag > Number.MAX_SAFE_INTEGER) return null;
  }
  return tag;
}

/** A canonical integer <= 2^53 - 1 in text[start, end); -1 if it is none. */
const parseDigits = (text: string, start: number, end: number, base: number, maxDigits: number): number => {
  const count = end - start;
  if (count < 1 || count > maxDigits) return -1;
  if (count > 1 && text.charCodeAt(start) === ZERO) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = digitAt(text, at);
    if (digit < 0 || digit >= base) return -1;
    value = value * base + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
};

/** 0..9 for digits, 10..35 for a..z, else -1. */
const digitAt = (text: string, at: number): number => {
  const unit = text.charCodeAt(at);
  if (unit >= ZERO && unit <= ZERO + 9) return unit - ZERO;
  return unit >= LOWER_A && unit <= LOWER_A + 25 ? unit - LOWER_A + 10 : -1;
};
