/**
 * Server-Sent Events, byte by byte, as the WHATWG HTML standard says (section 9.2.6, "Interpreting an event
 * stream"). Used by texts.test.ts.
 *
 * Own parser because messages must come out as the bytes that were sent: decoding
 * first would turn bytes that are not UTF-8 into U+FFFD.
 */
import { PendingBytes } from "../../src/cli/client/pending-bytes.ts";

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const BOM = [0xef, 0xbb, 0xbf] as const;

export interface ServerEvent {
  /** The `event` field; "message" when there was none. */
  readonly type: string;
  /** The `data` lines joined by LF; a copy. */
  readonly data: Uint8Array;
  /** Whether this event had an `id` line of its own. */
  readonly hasId: boolean;
}

/** What the parser tells while it reads. */
export interface EventVisitor {
  event(event: ServerEvent): void;
  /** A line that begins with a colon, without it; servers use them as signs of life. */
  comment(text: string): void;
}

export class EventStreamParser {
  readonly #line: PendingBytes;
  readonly #data: PendingBytes;
  readonly #visitor: EventVisitor;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #type = "";
  #idBuffer: string;
  #hasId = false;
  #skipLf = false;
  #atStart = true;

  /** The `id` of the last complete event, sent back as Last-Event-ID; "" when there was none. */
  lastEventId: string;
  /** The server's reconnection time in ms, or null while it gave none. */
  retryMs: number | null = null;

  /** A line or an event's data beyond `maxBytes` makes push throw MessageTooLarge. */
  constructor(visitor: EventVisitor, maxBytes: number, lastEventId = "") {
    this.#visitor = visitor;
    this.#line = new PendingBytes(maxBytes);
    this.#data = new PendingBytes(maxBytes);
    this.#idBuffer = lastEventId;
    this.lastEventId = lastEventId;
  }

  /**
   * Reads a chunk. An event cut off by the end of the stream is never told, nor is its id used (standard:
   * discarded).
   */
  push(chunk: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF && this.#skipLf) {
        // Second half of a CRLF whose CR already ended the line, perhaps in the chunk before.
        start = at + 1;
        this.#skipLf = false;
      } else if (byte === LF || byte === CR) {
        this.#endLine(chunk, start, at);
        start = at + 1;
        this.#skipLf = byte === CR;
      } else {
        this.#skipLf = false;
      }
    }
    this.#line.append(chunk, start, chunk.length);
  }

  #endLine(chunk: Uint8Array, start: number, end: number): void {
    if (this.#line.length === 0) {
      this.#interpret(chunk.subarray(start, end));
      return;
    }
    this.#line.append(chunk, start, end);
    this.#interpret(this.#line.view());
    this.#line.clear();
  }

  #interpret(rawLine: Uint8Array): void {
    const line = this.#atStart ? withoutBom(rawLine) : rawLine;
    this.#atStart = false;
    if (line.length === 0) {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(COLON);
    if (colon === 0) {
      this.#visitor.comment(this.#decoder.decode(line.subarray(1)));
      return;
    }
    const name = this.#decoder.decode(colon === -1 ? line : line.subarray(0, colon));
    const valueStart = colon === -1 ? line.length : colon + (line[colon + 1] === SPACE ? 2 : 1);
    this.#field(name, line.subarray(valueStart));
  }

  #field(name: string, value: Uint8Array): void {
    if (name === "data") {
      this.#data.append(value, 0, value.length);
      this.#data.append(LINE_END, 0, 1);
    } else if (name === "event") {
      this.#type = this.#decoder.decode(value);
    } else if (name === "id") {
      // "If the field value does not contain U+0000 NULL": else the whole field is ignored.
      if (value.includes(0)) return;
      this.#idBuffer = this.#decoder.decode(value);
      this.#hasId = true;
    } else if (name === "retry") {
      const text = this.#decoder.decode(value);
      if (/^[0-9]+$/.test(text)) this.retryMs = Number(text);
    }
  }

  #dispatch(): void {
    // Also without data: a server may move the position by an id line alone.
    this.lastEventId = this.#idBuffer;
    const type = this.#type === "" ? "message" : this.#type;
    const hasId = this.#hasId;
    this.#type = "";
    this.#hasId = false;
    if (this.#data.length === 0) return;
    const data = this.#data.view().slice(0, -1);
    this.#data.clear();
    this.#visitor.event({ type, data, hasId });
  }
}

const LINE_END = Uint8Array.of(LF);

/**
 * "One leading U+FEFF BYTE ORDER MARK character must be ignored if any are present", at the start of the
 * stream only.
 */
const withoutBom = (line: Uint8Array): Uint8Array =>
  line[0] === BOM[0] && line[1] === BOM[1] && line[2] === BOM[2] ? line.subarray(3) : line;
