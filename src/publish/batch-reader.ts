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

/** What nearly all lines of JSON are (wire/plain-line.ts): nothing but these two, as they stand there. */
export interface FoundLine {
  readonly number: number;
  readonly channel: string;
  /** A view of the body. */
  readonly found: Uint8Array;
}

type Lines = Generator<RawLine | FoundLine, void, undefined>;

const LINE_END = 0x0a;
const BLANK = /^[ \t\r]*$/;
/** Bodies as long as this are decoded line by line: all at once they would hold up the others. */
const MOST_AT_ONCE = 1024 * 1024;
/** A byte order mark is a character, and JSON has none in front. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Asked for one line, and read before the next. */
const plain = new PlainLine();

export const linesOf = (body: Uint8Array, form: Form): Lines =>
  form === "json" ? jsonLines(body) : packedLines(body);

function* jsonLines(body: Uint8Array): Lines {
  if (body.length > MOST_AT_ONCE || !isUtf8(body)) {
    yield* byteLines(body);
    return;
  }
  // A unit for each byte.
  const units = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  const isText = isAscii(body);
  if (PlainLine.mayBeIn(units)) yield* plainLines(body, units, isText);
  else yield* textLines(isText ? units : decoder.decode(body));
}

/** Lines that are plain, most likely, and any others among them. `isText`: the units are the text. */
function* plainLines(body: Uint8Array, units: string, isText: boolean): Lines {
  let number = 0;
  for (let start = 0; start < units.length; ) {
    number++;
    if (plain.find(units, start)) {
      const { channelStart, channelEnd, dataStart, dataEnd, end } = plain;
      const channel = units.slice(channelStart, channelEnd);
      const found = body.subarray(dataStart, dataEnd);
      start = end + 1;
      yield { number, channel: isText ? channel : utf8Of(channel), found };
      continue;
    }
    const lineEnd = units.indexOf("\n", start);
    const end = lineEnd < 0 ? units.length : lineEnd;
    const line = units.slice(start, end);
    start = end + 1;
    if (!BLANK.test(line)) yield { number, fields: fieldsOf(isText ? line : utf8Of(line)), dataOf: jsonData };
  }
}

/** Of units that are bytes. */
const utf8Of = (units: string): string => Buffer.from(units, "latin1").toString();

/** All of it is UTF-8, as nearly always: to decode it in one go takes a fifth of the time. */
function* textLines(body: string): Lines {
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
function* byteLines(body: Uint8Array): Lines {
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

function* packedLines(body: Uint8Array): Lines {
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
