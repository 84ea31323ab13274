/**
 * Reads a request's body out of the pieces it comes in (RFC 9112, 6 and 7.1), without copying: the sink is
 * given ranges of the piece. What stands behind the body is the next request and stays where it is. One
 * object a connection, used again.
 *
 *   chunked:  SIZE … [EXTENSION …] SIZE_LF  CHUNK …  CHUNK_CR CHUNK_LF   SIZE …    until a size of 0, then
 *             [TRAILER_NAME … TRAILER_VALUE … TRAILER_LF]…  LAST_LF
 *             lines by the rules for fields, left out
 *
 * Lines end with CRLF only. RFC 9112, 2.2 allows a bare LF in the head; between chunks, where an extension
 * may say anything, readers that disagree on it can be made to see different requests.
 */
import { CLASS, COLON, CR, HTAB, LF, LOWER, SP, TOKEN, VALUE } from "./octets.ts";
import type { RequestHead } from "./request-head.ts";

export interface BodyBounds {
  readonly bodyBytes: number;
  /** What a chunk's size line may be, with its extensions. */
  readonly chunkLineBytes: number;
  /** All trailer lines together. */
  readonly trailerBytes: number;
}

export interface BodySink {
  /** More of the body: the bytes from `start` to `end`, which may be overwritten when this has returned. */
  body(bytes: Uint8Array, start: number, end: number): void;
}

const DONE = 0;
const LENGTH = 1;
const SIZE = 2;
const SPACES = 3;
const EXTENSION = 4;
const SIZE_LF = 5;
const CHUNK = 6;
const CHUNK_CR = 7;
const CHUNK_LF = 8;
const TRAILER = 9;
const TRAILER_NAME = 10;
const TRAILER_VALUE = 11;
const TRAILER_LF = 12;
const LAST_LF = 13;

/** Digits of a size; any more are zeros in front, or more than there can be. */
const MOST_DIGITS = 16;
const SEMICOLON = 0x3b;

export class BodyReader {
  /** Bytes of the body so far. */
  received = 0;
  #state = DONE;
  /** Bytes left of the body, or of the chunk; the size while its line is read. */
  #left = 0;
  #digits = 0;
  #lineBytes = 0;
  #bounds: BodyBounds = { bodyBytes: 0, chunkLineBytes: 0, trailerBytes: 0 };

  get isDone(): boolean {
    return this.#state === DONE;
  }

  /** The body of this head begins: 0, or -413. Without a body it is done at once. */
  begin(head: Pick<RequestHead, "isChunked" | "contentLength">, bounds: BodyBounds): number {
    this.#bounds = bounds;
    this.received = 0;
    this.#left = 0;
    this.#digits = 0;
    this.#lineBytes = 0;
    this.#state = head.isChunked ? SIZE : DONE;
    if (head.contentLength <= 0) return 0;
    if (head.contentLength > bounds.bodyBytes) return -413;
    this.#state = LENGTH;
    this.#left = head.contentLength;
    return 0;
  }

  /**
   * Reads on. Gives where it stopped: at `end`, or past the body if `isDone`; or minus the status to refuse
   * with.
   */
  take(bytes: Uint8Array, start: number, end: number, sink: BodySink): number {
    let at = start;
    while (at < end && this.#state !== DONE) {
      if (this.#state === LENGTH || this.#state === CHUNK) {
        at = this.#takeData(bytes, at, end, sink);
        continue;
      }
      const status = this.#step(bytes[at++]!);
      if (status < 0) return status;
    }
    return at;
  }

  #takeData(bytes: Uint8Array, start: number, end: number, sink: BodySink): number {
    const stop = Math.min(end, start + this.#left);
    this.#left -= stop - start;
    this.received += stop - start;
    if (this.#left === 0) this.#state = this.#state === LENGTH ? DONE : CHUNK_CR;
    sink.body(bytes, start, stop);
    return stop;
  }

  /** One byte that is not data: 0, or minus a status. */
  #step(byte: number): number {
    switch (this.#state) {
      case SIZE:
      case SPACES:
      case EXTENSION:
        return this.#sizeLine(byte);
      case SIZE_LF:
        return this.#expect(byte, LF, this.#left === 0 ? TRAILER : CHUNK);
      case CHUNK_CR:
        return this.#expect(byte, CR, CHUNK_LF);
      case CHUNK_LF:
        return this.#expect(byte, LF, SIZE);
      default:
        return this.#trailer(byte);
    }
  }

  #expect(byte: number, wanted: number, next: number): number {
    if (byte !== wanted) return -400;
    if (next === SIZE || next === TRAILER) {
      this.#digits = 0;
      this.#lineBytes = 0;
    }
    this.#state = next;
    return 0;
  }

  #sizeLine(byte: number): number {
    if (++this.#lineBytes > this.#bounds.chunkLineBytes) return -400;
    if (this.#state === SIZE) {
      const digit = hexDigit(byte);
      if (digit >= 0) return this.#sizeDigit(digit);
      if (this.#digits === 0) return -400;
    }
    if (byte === CR) this.#state = SIZE_LF;
    else if (this.#state === EXTENSION) return (CLASS[byte]! & VALUE) === 0 ? -400 : 0;
    else if (byte === SEMICOLON) this.#state = EXTENSION;
    else if (byte === SP || byte === HTAB) this.#state = SPACES;
    else return -400;
    return 0;
  }

  #sizeDigit(digit: number): number {
    if (this.#digits++ >= MOST_DIGITS) return -400;
    this.#left = this.#left * 16 + digit;
    return this.#left > this.#bounds.bodyBytes - this.received ? -413 : 0;
  }

  /** RFC 9112, 7.1.2. What they say is not used: it could not be believed as a field of the head is. */
  #trailer(byte: number): number {
    if (++this.#lineBytes > this.#bounds.trailerBytes) return -431;
    const kind = CLASS[byte]!;
    switch (this.#state) {
      case TRAILER:
        if (byte === CR) this.#state = LAST_LF;
        else if ((kind & TOKEN) !== 0) this.#state = TRAILER_NAME;
        else return -400;
        return 0;
      case TRAILER_NAME:
        if (byte === COLON) this.#state = TRAILER_VALUE;
        else if ((kind & TOKEN) === 0) return -400;
        return 0;
      case TRAILER_VALUE:
        if (byte === CR) this.#state = TRAILER_LF;
        else if ((kind & VALUE) === 0) return -400;
        return 0;
      case TRAILER_LF:
        if (byte !== LF) return -400;
        // Not by #expect: the bound is that of all lines together.
        this.#state = TRAILER;
        return 0;
      default:
        return this.#expect(byte, LF, DONE);
    }
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = LOWER[byte]!;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
