/**
 * The lines of a batch, one after the other: JSON texts with line ends between them (NDJSON), or MessagePack
 * maps one behind the other. Used by batch.ts, which stops where it has enough of them.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { readNextMap } from "../wire/flat-map.ts";
import { PlainLine } from "../wire/plain-line.ts";
import { type DataOf, type Fields, jsonData, msgpackData } from "../wire/published-data.ts";
import { type Fault, lineFault } from "./batch-line.ts";

export type Form = "json" | "msgpack";

export interface RawLine {
  /** From 1, as editors count; empty ones count, and say nothing. */
  readonly number: number;
  readonly fields: Fields | Fault;
  readonly dataOf: DataOf;
}

/**
 * What nearly all lines of JSON are (wire/plain-line.ts): nothing but these two, as they stand there. One
 * object for all lines of a body: read it before the next.
 */
export interface FoundLine {
  readonly number: number;
  /** The same string as the line before, where that is for the same channel. */
  readonly channel: string;
  /** Where its data are in the body. */
  readonly found: number;
  readonly length: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Lines = Iterable<RawLine | FoundLine>;

const LINE_END = 0x0a;
const BLANK = /^[ \t\r]*$/;
/** Bodies as long as this are decoded line by line: all at once they would hold up the others. */
const MOST_AT_ONCE = 1024 * 1024;
/** A byte order mark is a character, and JSON has none in front. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
export const linesOf = (body: Uint8Array, form: Form): Lines =>
  form === "json" ? jsonLines(body) : packedLines(body);

function jsonLines(body: Uint8Array): Lines {
  if (body.length > MOST_AT_ONCE || !isUtf8(body)) return byteLines(body);
  // A unit for each byte.
  const units = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  const isText = isAscii(body);
  if (PlainLine.mayBeIn(units)) return new PlainLines(units, isText);
  return textLines(isText ? units : decoder.decode(body));
}

/**
 * Lines that are plain, most likely, and any others among them. `isText`: the units are the text. No
 * generator: to go on with one takes a third of what such a line takes.
 */
class PlainLines implements Lines, Iterator<RawLine | FoundLine> {
  readonly #units: string;
  readonly #isText: boolean;
  readonly #plain = new PlainLine();
  readonly #line: Writable<FoundLine> = { number: 0, channel: "", found: 0, length: 0 };
  readonly #step: { done: false; value: RawLine | FoundLine } = { done: false, value: this.#line };
  #number = 0;
  #start = 0;

  constructor(units: string, isText: boolean) {
    this.#units = units;
    this.#isText = isText;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<RawLine | FoundLine, undefined> {
    const units = this.#units;
    while (this.#start < units.length) {
      this.#number++;
      const plain = this.#plain;
      if (plain.find(units, this.#start)) {
        this.#start = plain.end + 1;
        const line = this.#line;
        line.number = this.#number;
        if (!plain.isSameChannel) line.channel = this.#text(plain.channelStart, plain.channelEnd);
        line.found = plain.dataStart;
        line.length = plain.dataEnd - plain.dataStart;
        this.#step.value = line;
        return this.#step;
      }
      const lineEnd = units.indexOf("\n", this.#start);
      const end = lineEnd < 0 ? units.length : lineEnd;
      const text = this.#text(this.#start, end);
      this.#start = end + 1;
      if (BLANK.test(text)) continue;
      this.#step.value = { number: this.#number, fields: fieldsOf(text), dataOf: jsonData };
      return this.#step;
    }
    return { done: true, value: undefined };
  }

  #text(start: number, end: number): string {
    const units = this.#units.slice(start, end);
    return this.#isText ? units : utf8Of(units);
  }
}

/** Of units that are bytes. */
const utf8Of = (units: string): string => Buffer.from(units, "latin1").toString();

/** All of it is UTF-8, as nearly always: to decode it in one go takes a fifth of the time. */
function* textLines(body: string): Generator<RawLine, void, undefined> {
  let number = 0;
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf("\n", start);
    const end = found < 0 ? body.length : found;
    const line = body.slice(start, end);
    number++;
    if (!BLANK.test(line)) yield { number, fields: fieldsOf(line), dataOf: jsonData };
    start = end + 1;
  }
}

/** Somewhere there is a line that is not, and the others are what they are. */
function* byteLines(body: Uint8Array): Generator<RawLine, void, undefined> {
  let number = 0;
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(LINE_END, start);
    const end = found < 0 ? body.length : found;
    number++;
    if (!isBlank(body, start, end))
      yield { number, fields: jsonFields(body.subarray(start, end)), dataOf: jsonData };
    start = end + 1;
  }
}

function* packedLines(body: Uint8Array): Generator<RawLine, void, undefined> {
  for (let number = 1, start = 0; start < body.length; number++) {
    const next = readNextMap(body, start);
    // Where the next one begins is not known.
    if (next === null) {
      yield {
        number,
        fields: lineFault("It is no map of a message, and what is behind it cannot be read."),
        dataOf: msgpackData,
      };
      return;
    }
    yield { number, fields: Object.fromEntries(next.map), dataOf: msgpackData };
    start = next.end;
  }
}

function jsonFields(line: Uint8Array): Fields | Fault {
  const text = textOf(line);
  return text === null ? lineFault("It is not UTF-8.") : fieldsOf(text);
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** Anything that JSON.parse throws is a fault of the line: a nesting too deep for it, too. */
function fieldsOf(text: string): Fields | Fault {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  } catch {
    // Said below.
  }
  return lineFault("It is no JSON object.");
}

/** Space, tab and carriage return alone. */
function isBlank(body: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
