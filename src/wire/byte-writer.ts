/**
 * A growable byte buffer that every encoder of this folder writes into; fanout and the HTTP sides own one
 * each and reuse it for every message. Bytes and numbers go in without strings or views in between.
 *
 * Why not arrays of chunks or strings: a message is encoded once and then handed to the socket layer in one
 * piece, so one flat buffer costs one copy; strings would cost a second one and cannot hold arbitrary bytes.
 */
import { spend, takeRoom } from "../http/spent-bytes.ts";

const INITIAL_BYTES = 4096;
/** A buffer at most this large is never given back. */
const KEEP_BYTES = 64 * 1024;
/**
 * How many small uses in a row make a large buffer be given back; a steady run of large messages keeps it.
 */
const SMALL_USES_BEFORE_SHRINK = 16;
/**
 * Below this a byte loop is quicker than any native copy (about 20 ns a call, against 60 ns for subarray +
 * set).
 */
const LOOP_COPY_BYTES = 20;
/** Below this a char loop is quicker than TextEncoder.encodeInto, which also needs a view. */
const LOOP_TEXT_CHARS = 64;

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const INT32_LIMIT = 0x7fffffff;

const encoder = new TextEncoder();
/** Copies a range without making a view of it first; Bun runs it on any Uint8Array. */
const copyRange = Buffer.prototype.copy;

export class ByteWriter {
  /** The buffer itself; valid up to `length`. Replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  #smallUses: number;

  constructor(initialBytes: number = INITIAL_BYTES) {
    this.bytes = takeRoom(Math.max(initialBytes, 16));
    this.length = 0;
    this.#smallUses = 0;
  }

  /** Makes room for `extraBytes` more, at least doubling, so n pushes stay O(n). */
  reserve(extraBytes: number): void {
    const needed = this.length + extraBytes;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  /** One byte, 0..255. */
  pushByte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = byte;
  }

  /** All of `source`. */
  pushBytes(source: Uint8Array): void {
    this.pushRange(source, 0, source.length);
  }

  /** `length` bytes of `source` from `offset` on; the range must lie inside `source`. */
  pushRange(source: Uint8Array, offset: number, length: number): void {
    this.reserve(length);
    const target = this.bytes;
    const at = this.length;
    if (length <= LOOP_COPY_BYTES) {
      for (let i = 0; i < length; i++) target[at + i] = source[offset + i] ?? 0;
    } else {
      copyRange.call(source, target, at, offset, offset + length);
    }
    this.length = at + length;
  }

  /** One byte per UTF-16 unit: ASCII, Latin-1 or "binary" text; units above 255 lose their high byte. */
  pushLatin1(text: string): void {
    this.reserve(text.length);
    const target = this.bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** Text as UTF-8; lone surrogates become U+FFFD. */
  pushUtf8(text: string): void {
    const start = this.length;
    if (text.length <= LOOP_TEXT_CHARS && this.#pushAscii(text)) return;
    this.length = start;
    this.reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.bytes.subarray(start)).written;
  }

  /** A decimal integer, |value| < 2^53. */
  pushInteger(value: number): void {
    this.reserve(17);
    let rest = value;
    if (rest < 0) {
      this.bytes[this.length++] = MINUS;
      rest = -rest;
    }
    const end = this.length + decimalDigits(rest);
    let at = end;
    while (rest > INT32_LIMIT) {
      const quotient = Math.floor(rest / 10);
      this.bytes[--at] = ZERO + (rest - quotient * 10);
      rest = quotient;
    }
    do {
      const quotient = (rest / 10) | 0;
      this.bytes[--at] = ZERO + (rest - quotient * 10);
      rest = quotient;
    } while (rest > 0);
    this.length = end;
  }

  /**
   * What was written from `start` on once more, with the decimal number that ends `behind` bytes before its
   * end one higher. False, and nothing is written: that has a digit more, or there is none.
   */
  pushSuccessor(start: number, behind: number): boolean {
    const { length } = this;
    let last = length - behind - 1;
    while (last > start && this.bytes[last] === NINE) last--;
    const digit = this.bytes[last] ?? 0;
    if (last <= start || digit < ZERO || digit >= NINE) return false;
    const added = length - start;
    this.reserve(added);
    const target = this.bytes;
    target.copyWithin(length, start, length);
    target[last + added] = digit + 1;
    for (let at = last + added + 1; at < length + added - behind; at++) target[at] = ZERO;
    this.length = length + added;
    return true;
  }

  /**
   * What was written, as a view: good only until the next push or reset. Never the same object twice: a
   * listener of our own makes the chunk around a piece that many get once, and knows the piece by its view.
   */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written, as bytes of the caller's own. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  /** Empties the writer. Room beyond 64 KiB is given back once it was not needed for a while. */
  reset(): void {
    if (this.bytes.length > KEEP_BYTES) {
      this.#smallUses = this.length > KEEP_BYTES ? 0 : this.#smallUses + 1;
      if (this.#smallUses >= SMALL_USES_BEFORE_SHRINK) {
        spend(this.bytes);
        this.bytes = new Uint8Array(KEEP_BYTES);
        this.#smallUses = 0;
      }
    }
    this.length = 0;
  }

  /** False (with bytes already written past the old length) at the first unit that is not ASCII. */
  #pushAscii(text: string): boolean {
    this.reserve(text.length);
    const target = this.bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      target[at++] = unit;
    }
    this.length = at;
    return true;
  }

  #grow(neededBytes: number): void {
    const outgrown = this.bytes;
    const grown = takeRoom(Math.max(neededBytes, outgrown.length * 2), neededBytes);
    copyRange.call(outgrown, grown, 0, 0, this.length);
    this.bytes = grown;
    spend(outgrown);
  }
}

const decimalDigits = (value: number): number => {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
};
