/**
 * What a request's head said, as numbers into the bytes it came in: one object a worker or a connection, used
 * again for each request, so that a head costs no allocation until somebody asks for a text. Filled by
 * parse-head.ts.
 *
 *   #offsets   | name start | name end | value start | value end | next field …   positions in the bytes
 *
 * The bytes must stay as they are until the accessors have been used.
 */
import { isText, latin1 } from "./octets.ts";

export interface HeadBounds {
  /**
   * Bytes of one line with its end: nginx's size in `large_client_header_buffers`. A longer request line is
   * 414, a field 431.
   */
  readonly lineBytes: number;
  /** Bytes of the whole head: nginx's number times size. */
  readonly headBytes: number;
  /** Fields that are kept. */
  readonly fields: number;
  /** Absent: letters, digits and dashes. */
  readonly names?: "plain" | "underscores" | "any";
}

/** nginx's `large_client_header_buffers 4 8k`. */
export const DEFAULT_BOUNDS: HeadBounds = { lineBytes: 8192, headBytes: 32768, fields: 200 };

/** Where parsing stands. */
export const AT_REQUEST_LINE = 0;
export const AT_FIELDS = 1;
export const DONE = 2;

const NAME_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;
const NUMBERS_A_FIELD = 4;
const FIRST_FIELDS = 16;

export class RequestHead {
  method = "";
  /** The request line without its end, as `$request` of an access log has it. */
  requestLineStart = 0;
  requestLineEnd = 0;
  /** The target as it was sent. */
  targetStart = 0;
  targetEnd = 0;
  /** Where path and query begin: behind the authority in absolute-form, otherwise the target's start. */
  pathStart = 0;
  /** 0 for HTTP/1.0; 1 for 1.1 and whatever 1.x may follow (RFC 9110, 2.5). */
  minor = 1;
  fieldCount = 0;
  /** -1: none was given. */
  contentLength = -1;
  isChunked = false;
  /** Whether the connection may serve another request, by version and Connection. */
  keepsAlive = true;
  /** `Connection: close` was said. */
  hasClose = false;
  hasKeepAlive = false;
  hasConnectionUpgrade = false;
  /** `Expect: 100-continue`, from a client of 1.1: others do not know 1xx (RFC 9110, 10.1.1). */
  expectsContinue = false;
  /** `Upgrade: websocket` with `Connection: upgrade`. */
  upgradesToWebSocket = false;
  /** The target's authority, or else the Host field; equal: neither was given. */
  hostStart = 0;
  hostEnd = 0;
  /** The Host field's own number, -1 without one. */
  hostField = -1;
  isAbsolute = false;

  /** For the parser: see parse-head.ts. */
  stage = DONE;
  start = 0;
  lineStart = 0;
  triedBytes = 0;
  seenBytes = 0;
  #offsets = new Int32Array(FIRST_FIELDS * NUMBERS_A_FIELD);
  /** A bit for each length that a field's name has: most of what is asked for is not there. */
  #nameLengths = 0;

  /** A new head, which begins at `start`. */
  begin(start: number): void {
    this.stage = AT_REQUEST_LINE;
    this.start = start;
    this.lineStart = start;
    this.triedBytes = 0;
    this.seenBytes = 0;
    this.fieldCount = 0;
    this.#nameLengths = 0;
    this.contentLength = -1;
    this.isChunked = false;
    this.hasClose = false;
    this.hasKeepAlive = false;
    this.hasConnectionUpgrade = false;
    this.expectsContinue = false;
    this.upgradesToWebSocket = false;
    this.hostStart = 0;
    this.hostEnd = 0;
    this.hostField = -1;
    this.isAbsolute = false;
  }

  /** The bytes of a head that is not whole yet have been moved: it begins at `start` now. */
  moveTo(start: number): void {
    const by = start - this.start;
    this.start = start;
    this.lineStart += by;
    this.requestLineStart += by;
    this.requestLineEnd += by;
    this.targetStart += by;
    this.targetEnd += by;
    this.pathStart += by;
    this.hostStart += by;
    this.hostEnd += by;
    for (let i = this.fieldCount * NUMBERS_A_FIELD - 1; i >= 0; i--) this.#offsets[i]! += by;
  }

  /** Notes a field; false: there are as many as may be. */
  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, most: number): boolean {
    if (this.fieldCount >= most) return false;
    const at = this.fieldCount * NUMBERS_A_FIELD;
    if (at === this.#offsets.length) this.#grow();
    const offsets = this.#offsets;
    offsets[at] = nameStart;
    offsets[at + NAME_END] = nameEnd;
    offsets[at + VALUE_START] = valueStart;
    offsets[at + VALUE_END] = valueEnd;
    this.fieldCount++;
    this.#nameLengths |= 1 << (nameEnd - nameStart);
    return true;
  }

  #grow(): void {
    const larger = new Int32Array(this.#offsets.length * 2);
    larger.set(this.#offsets);
    this.#offsets = larger;
  }

  /** The number of the first field of this name (lower case) from `from` on, or -1. */
  find(bytes: Uint8Array, name: string, from = 0): number {
    if ((this.#nameLengths & (1 << name.length)) === 0) return -1;
    const offsets = this.#offsets;
    for (let i = from; i < this.fieldCount; i++) {
      const at = i * NUMBERS_A_FIELD;
      if (isText(bytes, offsets[at]!, offsets[at + NAME_END]!, name)) return i;
    }
    return -1;
  }

  /** As `Headers.get`: null without the field, several are joined. `name` in lower case. */
  value(bytes: Uint8Array, name: string): string | null {
    let i = this.find(bytes, name);
    if (i < 0) return null;
    let text = this.valueAt(bytes, i);
    const between = name === "cookie" ? "; " : ", ";
    for (i = this.find(bytes, name, i + 1); i >= 0; i = this.find(bytes, name, i + 1)) {
      text += between + this.valueAt(bytes, i);
    }
    return text;
  }

  /** A field's name as it was sent. */
  nameAt(bytes: Uint8Array, field: number): string {
    const at = field * NUMBERS_A_FIELD;
    return latin1(bytes, this.#offsets[at]!, this.#offsets[at + NAME_END]!);
  }

  valueAt(bytes: Uint8Array, field: number): string {
    return latin1(bytes, this.valueStart(field), this.valueEnd(field));
  }

  valueStart(field: number): number {
    return this.#offsets[field * NUMBERS_A_FIELD + VALUE_START]!;
  }

  valueEnd(field: number): number {
    return this.#offsets[field * NUMBERS_A_FIELD + VALUE_END]!;
  }

  /** All fields, in the order they came, for a `Headers`. */
  fields(bytes: Uint8Array): [name: string, value: string][] {
    const all: [string, string][] = [];
    for (let i = 0; i < this.fieldCount; i++) all.push([this.nameAt(bytes, i), this.valueAt(bytes, i)]);
    return all;
  }

  /** Path and query, whatever form the target had: begins with "/" (or is "*", for OPTIONS). */
  target(bytes: Uint8Array): string {
    const text = latin1(bytes, this.pathStart, this.targetEnd);
    // RFC 9112, 3.2.1: an absolute-form without a path is that of "/".
    return this.isAbsolute && bytes[this.pathStart] !== 0x2f ? `/${text}` : text;
  }

  /** Host and port that the request is for; "" if an HTTP/1.0 client named none. */
  host(bytes: Uint8Array): string {
    return latin1(bytes, this.hostStart, this.hostEnd);
  }

  requestLine(bytes: Uint8Array): string {
    return latin1(bytes, this.requestLineStart, this.requestLineEnd);
  }
}
