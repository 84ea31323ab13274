/**
 * RESP2, the protocol of Redis and Valkey (https://redis.io/docs/latest/develop/reference/protocol-spec/):
 * commands are written into one buffer, replies are read in place from the bytes that came. Used by
 * engine-connection.ts; nothing of it knows sockets.
 *
 *   command   *3 CRLF  $7 CRLF EVALSHA CRLF  $40 CRLF … CRLF  $1 CRLF 3 CRLF        an array of bulk strings
 *   reply     +OK   -ERR …   :7   $5 CRLF bytes CRLF   $-1 (null)   *2 CRLF reply reply   *-1 (null)
 *
 * Why not ioredis here: an object, a promise and several copies a command, and a generic value a reply, were
 * a fifth of what a publish cost a node.
 */
import type { ByteWriter } from "../wire/byte-writer.ts";

/** What the engine refuses: its own words. */
export class EngineRefusal extends Error {}

/** A whole reply begins at `from`. */
export type ReadReply<T> = (bytes: Buffer, from: number) => T;

const [SIMPLE, ERROR, INTEGER, BULK, ARRAY] = [0x2b, 0x2d, 0x3a, 0x24, 0x2a];
const [CR, LF, MINUS, ZERO] = [0x0d, 0x0a, 0x2d, 0x30];
/** Of a line that is no bulk string: an error's sentence. */
const LONGEST_LINE = 64 * 1024;
/** As Redis has it by itself (proto-max-bulk-len). */
const LONGEST_BULK = 512 * 1024 * 1024;
const LEAST_BUFFER = 64 * 1024;
/** Kept for the next reply. */
const LARGEST_SPARE = 2 * 1024 * 1024;
/** Nothing that is asked for here nests deeper than four. */
const DEEPEST = 8;

// --- commands ----------------------------------------------------------------------------------------------

export function beginCommand(out: ByteWriter, words: number): void {
  out.pushByte(ARRAY);
  out.pushInteger(words);
  endLine(out);
}

export function pushWord(out: ByteWriter, word: string | Uint8Array): void {
  const bytes = typeof word === "string" && !isAscii(word) ? Buffer.from(word) : word;
  beginWord(out, bytes.length);
  if (typeof bytes === "string") out.pushLatin1(bytes);
  else out.pushBytes(bytes);
  endLine(out);
}

/** One word of two pieces. */
export function pushJoined(out: ByteWriter, first: Uint8Array, second: Uint8Array): void {
  beginWord(out, first.length + second.length);
  out.pushBytes(first);
  out.pushBytes(second);
  endLine(out);
}

function beginWord(out: ByteWriter, length: number): void {
  out.pushByte(BULK);
  out.pushInteger(length);
  endLine(out);
}

function endLine(out: ByteWriter): void {
  out.pushByte(CR);
  out.pushByte(LF);
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

// --- where a reply ends ------------------------------------------------------------------------------------

/**
 * Gathers what came until a reply is whole. Its bytes are not written again, so views of them may be kept,
 * unless whoever read it gives them back. Throws where it is not RESP2.
 */
export class ReplyGatherer {
  bytes: Buffer = Buffer.alloc(0);
  /** Replies of which these bytes are. */
  #replies = 0;
  /** What was given back: the next reply of several pieces is gathered there. */
  #spare: Buffer | null = null;
  /** Of the reply that is being gathered. */
  #from = 0;
  /** As far as it was looked through, and how many values of it are still to come. */
  #at = 0;
  #left = 1;
  #end = 0;
  /** Where a value ends whose length is known. */
  #needed = 0;

  push(chunk: Buffer): void {
    if (this.#from === this.#end) {
      this.bytes = chunk;
      this.#from = this.#at = this.#needed = 0;
      this.#end = chunk.length;
      this.#replies = 0;
      this.#isOwn = false;
      return;
    }
    if (this.#end + chunk.length > this.bytes.length || !this.#isOwn) this.#grow(chunk.length);
    chunk.copy(this.bytes, this.#end);
    this.#end += chunk.length;
  }

  /** Where a whole reply begins; -1: there is none. */
  next(): number {
    if (this.#end < this.#needed || !this.#isWhole()) return -1;
    const from = this.#from;
    this.#from = this.#at;
    this.#left = 1;
    this.#replies++;
    return from;
  }

  /** Nobody looks at the last reply any more, whose bytes these are. */
  giveBack(bytes: Buffer): void {
    const isAlone = this.#replies === 1 && this.#from === this.#end;
    if (bytes === this.bytes && isAlone && this.#isOwn && bytes.length <= LARGEST_SPARE) this.#spare = bytes;
  }

  #isOwn = false;
  #grow(more: number): void {
    const held = this.#end - this.#from;
    const spare = this.#spare;
    const fits = spare !== null && spare.length >= held + more;
    const grown = fits ? spare : Buffer.allocUnsafeSlow(Math.max(LEAST_BUFFER, (held + more) * 2));
    this.#spare = null;
    this.#replies = 0;
    this.bytes.copy(grown, 0, this.#from, this.#end);
    this.#at -= this.#from;
    this.#needed = Math.max(0, this.#needed - this.#from);
    this.#from = 0;
    this.#end = held;
    this.bytes = grown;
    this.#isOwn = true;
  }

  #isWhole(): boolean {
    const { bytes } = this;
    let next = this.#at;
    while (this.#left > 0) {
      const kind = bytes[next];
      next = kind === BULK || kind === ARRAY ? this.#passLength(next, kind) : this.#passLine(next, kind);
      if (next < 0) return false;
      this.#at = next;
      this.#left--;
    }
    return true;
  }

  /** A bulk string, or an array's beginning: what comes behind it; -1: it is not all here. */
  #passLength(from: number, kind: number): number {
    const { bytes } = this;
    const end = this.#end;
    let place = from + 1;
    const isNull = place < end && bytes[place] === MINUS;
    if (isNull) place++;
    let count = 0;
    for (; place < end; place++) {
      const digit = (bytes[place] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      count = count * 10 + digit;
    }
    if (count > LONGEST_BULK) throw new Error("the engine's reply is no RESP: a length");
    if (place + 1 >= end) return -1;
    if (bytes[place] !== CR || bytes[place + 1] !== LF || place === from + 1)
      throw new Error("the engine's reply is no RESP: a number");
    if (kind === ARRAY) this.#left += isNull ? 0 : count;
    if (kind === ARRAY || isNull) return place + 2;
    const next = place + 2 + count + 2;
    this.#needed = next;
    if (next > end) return -1;
    if (bytes[next - 2] !== CR) throw new Error("the engine's reply is no RESP: a string's end");
    return next;
  }

  #passLine(from: number, kind: number | undefined): number {
    const { bytes } = this;
    if (from >= this.#end) return -1;
    if (kind !== SIMPLE && kind !== ERROR && kind !== INTEGER)
      throw new Error("the engine's reply is no RESP: a kind");
    const last = Math.min(this.#end - 1, from + LONGEST_LINE);
    for (let at = from; at < last; at++) if (bytes[at] === CR && bytes[at + 1] === LF) return at + 2;
    if (last === from + LONGEST_LINE) throw new Error("the engine's reply is no RESP: a line");
    return -1;
  }
}

// --- what a reply says -------------------------------------------------------------------------------------

/** Where the value that is read begins; one reply is read at a time, and it is whole. */
let at = 0;

/** Strings as views of the reply's bytes. */
export const asBuffers: ReadReply<unknown> = (bytes, from) => {
  at = from;
  return valueAt(bytes, false, 0);
};

/** Strings as text. */
export const asText: ReadReply<unknown> = (bytes, from) => {
  at = from;
  return valueAt(bytes, true, 0);
};

/** A list of strings that are numbers: of each its value, or NaN. */
export const asNumbers: ReadReply<readonly number[]> = (bytes, from) => {
  at = from;
  if (bytes[from] !== ARRAY) return [];
  const count = Math.max(0, lineOf(bytes));
  const numbers: number[] = [];
  for (let place = 0; place < count; place++) {
    const isBulk = bytes[at] === BULK;
    const length = lineOf(bytes);
    if (isBulk) numbers.push(length > 0 ? numberIn(bytes, at, length) : Number.NaN);
    else numbers.push(length);
    if (isBulk && length >= 0) at += length + 2;
  }
  return numbers;
};

/** The reply is a refusal: what it says. */
export function refusalAt(bytes: Buffer, from: number): EngineRefusal | null {
  if (bytes[from] !== ERROR) return null;
  at = from;
  return new EngineRefusal(textLine(bytes));
}

function valueAt(bytes: Buffer, isText: boolean, depth: number): unknown {
  switch (bytes[at]) {
    case BULK: {
      const length = lineOf(bytes);
      if (length < 0) return null;
      const from = at;
      at += length + 2;
      return isText ? bytes.toString("utf8", from, from + length) : bytes.subarray(from, from + length);
    }
    case ARRAY:
      return listAt(bytes, isText, depth);
    case INTEGER:
      return lineOf(bytes);
    case ERROR:
      return new EngineRefusal(textLine(bytes));
    default:
      return textLine(bytes);
  }
}

function listAt(bytes: Buffer, isText: boolean, depth: number): unknown {
  if (depth > DEEPEST) throw new Error("the engine's reply nests too deep");
  const count = lineOf(bytes);
  if (count < 0) return null;
  const values: unknown[] = [];
  for (let place = 0; place < count; place++) values.push(valueAt(bytes, isText, depth + 1));
  return values;
}

/** The number in the line that begins here, which is passed over. */
function lineOf(bytes: Buffer): number {
  let place = at + 1;
  const isNegative = bytes[place] === MINUS;
  if (isNegative) place++;
  let value = 0;
  for (; bytes[place] !== CR; place++) value = value * 10 + ((bytes[place] ?? 0) - ZERO);
  at = place + 2;
  return isNegative ? -value : value;
}

/** Of a string of such a length; NaN: it is no number. */
function numberIn(bytes: Buffer, from: number, length: number): number {
  const isNegative = bytes[from] === MINUS;
  let value = 0;
  for (let place = isNegative ? from + 1 : from; place < from + length; place++) {
    const digit = (bytes[place] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

function textLine(bytes: Buffer): string {
  const from = at + 1;
  const end = bytes.indexOf(CR, from);
  at = end + 2;
  return bytes.toString("utf8", from, end);
}
