/**
 * Positions a client sends back to go on where it stopped: sluice's own token (`<epoch base
 * 36>-<pos>[,<pos>…]`, one position per channel of the connection, in path order) and the tag of push-stream
 * spec 4.7. Written by fanout, read by subscribe.
 *
 * Only the canonical spelling is read: what parsePosition accepts, formatPosition writes again byte for byte.
 */
import type { ByteWriter } from "./byte-writer.ts";

/** 2^53 - 1 has 11 digits in base 36 and 16 in base 10. */
const MAX_EPOCH_DIGITS = 11;
const MAX_POSITION_DIGITS = 16;
const DASH = 0x2d;
const COMMA = 0x2c;
const ZERO = 0x30;
const LOWER_A = 0x61;

/** The store's epoch and how far each channel was read: integers below 2^53. */
export interface Position {
  readonly epoch: number;
  readonly positions: readonly number[];
}

/**
 * Something that can write the id of an event; lets an encoder write a per-connection token without a string
 * in between.
 */
export interface TokenWriter {
  writeToken(writer: ByteWriter): void;
}

/**
 * A position that moves: a connection (or a topic, for one channel) owns one and sets `positions` before each
 * message.
 */
export class PositionToken implements TokenWriter {
  readonly epoch: number;
  readonly positions: number[];

  constructor(epoch: number, positions: number[]) {
    this.epoch = epoch;
    this.positions = positions;
  }

  writeToken(writer: ByteWriter): void {
    pushPosition(writer, this.epoch, this.positions);
  }
}

let cachedEpoch = 0;
let cachedEpochText = "0";

/** Appends the token; at least one position. */
export function pushPosition(writer: ByteWriter, epoch: number, positions: ArrayLike<number>): void {
  writer.pushLatin1(epochText(epoch));
  for (let i = 0; i < positions.length; i++) {
    writer.pushByte(i === 0 ? DASH : COMMA);
    writer.pushInteger(positions[i] ?? 0);
  }
}

/** The token of one channel. */
export function pushSinglePosition(writer: ByteWriter, epoch: number, position: number): void {
  writer.pushLatin1(epochText(epoch));
  writer.pushByte(DASH);
  writer.pushInteger(position);
}

/** The token of one channel as text. */
export function formatSinglePosition(epoch: number, position: number): string {
  return `${epochText(epoch)}-${position}`;
}

/** The token as text; at least one position. */
export function formatPosition(epoch: number, positions: ArrayLike<number>): string {
  return `${epochText(epoch)}-${Array.from(positions).join(",")}`;
}

/**
 * Reads a token with at most `maxPositions` positions; null for anything else, over-long numbers and leading
 * zeros included.
 */
export function parsePosition(text: string, maxPositions: number): Position | null {
  const dash = text.indexOf("-");
  if (dash < 0) return null;
  const epoch = parseDigits(text, 0, dash, 36, MAX_EPOCH_DIGITS);
  if (epoch < 0) return null;
  const positions: number[] = [];
  for (let start = dash + 1; ; ) {
    if (positions.length === maxPositions) return null;
    const comma = text.indexOf(",", start);
    const end = comma < 0 ? text.length : comma;
    const position = parseDigits(text, start, end, 10, MAX_POSITION_DIGITS);
    if (position < 0) return null;
    positions.push(position);
    if (comma < 0) return { epoch, positions };
    start = comma + 1;
  }
}

/**
 * The tag in an If-None-Match value (push-stream spec 4.7): decimal digits, `W/` before them allowed, as the module sends it; or `W/"…"`,
 * the weak entity tag (RFC 9110 8.8.3) that we send. null = absent, which is what other quotes, an empty value, letters and numbers past 2^53
 * mean.
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

/** There is one store, hence one epoch, in a process: its text is kept. */
const epochText = (epoch: number): string => {
  if (epoch !== cachedEpoch) {
    cachedEpoch = epoch;
    cachedEpochText = epoch.toString(36);
  }
  return cachedEpochText;
};

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
