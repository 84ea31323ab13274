/**
 * Server-sent events (WHATWG HTML 9.2; push-stream spec 4.14): messages, header and footer comments, pings
 * and gap events as bytes. Used by the eventsource subscriber mode.
 *
 * Everything a publisher or a URL chose (event id, event type, channel name) loses CR, LF and NUL here: a
 * value must not be able to forge a line of the stream.
 */
import { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import { type Position, pushPosition } from "./position.ts";
import type { Renderable } from "./renderable.ts";
import { type CompiledTemplate, compileTemplate, pushWithoutLineBreaks } from "./template.ts";

const LF = 0x0a;
const CR = 0x0d;
const COMMENT = ": ";
const DATA = "data: ";

const encoder = new TextEncoder();
/** A message between its template and its lines. */
const rendered = new ByteWriter();

/** Sent every ping interval: a comment, so that no client sees an event (push-stream spec 4.9). */
export const EVENT_STREAM_PING: Uint8Array = encoder.encode(": -1\n");

/**
 * What becomes of the lines of a message. "module": each line that is not empty goes through the template by
 * itself (push-stream spec 4.14), so empty ones are lost and a template of JSON gives one object a line.
 * "whole": the message goes through the template once, as on every other transport, and all lines of that are
 * sent: a client joins them by LF again, which is what became of CR and CRLF.
 */
export type EventLines = "module" | "whole";

/**
 * Compiles a message template for event streams. A template that starts with `data: ` is taken as already
 * formatted (push-stream spec 4.6); the module then also leaves out the line end, which makes a stream no
 * client can read, so it is added if missing.
 */
export function compileEventStream(template: string, lines: EventLines = "module"): CompiledEventStream {
  const isFormatted = template.startsWith(DATA);
  const bare = compileTemplate(isFormatted ? template.slice(DATA.length) : template, "strip");
  const line = compileTemplate(endLine(isFormatted ? template : DATA + template), "strip");
  // What is formatted says itself where its lines end.
  return new CompiledEventStream(
    line,
    bare.isPlainText || isFormatted ? null : bare,
    bare.isPlainText,
    lines,
  );
}

export class CompiledEventStream {
  /** Renders one line with its `data: ` and line end. */
  readonly #line: CompiledTemplate;
  /** Renders what the lines of a whole message are taken of; null: its text. */
  readonly #whole: CompiledTemplate | null;
  /** The whole template is `~text~`: lines are copied between constants without running a program. */
  readonly #isPlainText: boolean;
  readonly #lines: EventLines;

  constructor(
    line: CompiledTemplate,
    whole: CompiledTemplate | null,
    isPlainText: boolean,
    lines: EventLines,
  ) {
    this.#line = line;
    this.#whole = whole;
    this.#isPlainText = isPlainText;
    this.#lines = lines;
  }

  /**
   * Appends one event. `id` (event_ids = "auto") takes the place of the publisher's Event-Id; null leaves
   * that in. Returns where its data begins: padding counts from there (push-stream spec 4.8).
   */
  render(writer: ByteWriter, message: Renderable, id: Position | null): number {
    const { bytes, eventIdLength } = message;
    if (id !== null) pushIdLine(writer, id);
    else if (eventIdLength >= 0) pushField(writer, "id: ", bytes, 0, eventIdLength);
    return this.renderRest(writer, message);
  }

  /** What follows the id: the same for all, whatever they have for one. */
  renderRest(writer: ByteWriter, message: Renderable): number {
    const { bytes, eventIdLength, eventTypeLength } = message;
    if (eventTypeLength >= 0) {
      pushField(writer, "event: ", bytes, Math.max(eventIdLength, 0), eventTypeLength);
    }
    const dataStart = writer.length;
    if (this.#lines === "module") this.#pushFullLines(writer, message);
    else this.#pushAllLines(writer, message);
    writer.pushByte(LF);
    return dataStart;
  }

  /**
   * Lines end at CRLF, LF or CR. Empty ones are dropped, so CRLF needs no special case: it leaves an empty
   * line.
   */
  #pushFullLines(writer: ByteWriter, message: Renderable): void {
    const end = message.dataOffset + message.dataLength;
    let lineStart = message.dataOffset;
    for (let at = lineStart; at <= end; at++) {
      if (at < end && message.bytes[at] !== LF && message.bytes[at] !== CR) continue;
      if (at > lineStart) this.#pushLine(writer, message, lineStart, at - lineStart);
      lineStart = at + 1;
    }
  }

  /**
   * A `data` field for every line, empty ones and the last included: n line ends make n + 1 (WHATWG HTML
   * 9.2.6).
   */
  #pushAllLines(writer: ByteWriter, message: Renderable): void {
    let { bytes, dataOffset: lineStart } = message;
    let end = lineStart + message.dataLength;
    if (this.#whole !== null) {
      rendered.reset();
      this.#whole.render(rendered, message);
      bytes = rendered.view();
      lineStart = 0;
      end = bytes.length;
    }
    const isText = this.#isPlainText || this.#whole !== null;
    for (let at = lineStart; at <= end; at++) {
      if (at < end && bytes[at] !== LF && bytes[at] !== CR) continue;
      if (isText) pushDataLine(writer, bytes, lineStart, at - lineStart);
      else this.#line.renderPart(writer, message, lineStart, at - lineStart);
      if (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at++;
      lineStart = at + 1;
    }
  }

  #pushLine(writer: ByteWriter, message: Renderable, offset: number, length: number): void {
    if (this.#isPlainText) pushDataLine(writer, message.bytes, offset, length);
    else this.#line.renderPart(writer, message, offset, length);
  }
}

function pushDataLine(writer: ByteWriter, bytes: Uint8Array, offset: number, length: number): void {
  writer.pushLatin1(DATA);
  writer.pushRange(bytes, offset, length);
  writer.pushByte(LF);
}

/**
 * First bytes of every event stream: each line of the header template as a comment; `: \n` when it has none.
 */
export function eventStreamHeader(template: string): Uint8Array {
  const comments = commentLines(template);
  return encoder.encode(comments === "" ? `${COMMENT}\n` : comments);
}

/** Last bytes: the footer template as comments; empty when there is none. */
export function eventStreamFooter(template: string): Uint8Array {
  return encoder.encode(commentLines(template));
}

/**
 * Tells a client that messages of a channel are gone: `event: gap`, data `{"channel":"ch1","missed":3}`;
 * missed null = cannot be known. `id` is the position behind the gap, so that a client resuming from it is
 * not told again.
 */
export function pushGapEvent(
  writer: ByteWriter,
  channel: Uint8Array,
  missed: number | null,
  id: Position | null,
): void {
  if (id !== null) pushIdLine(writer, id);
  writer.pushLatin1('event: gap\ndata: {"channel":');
  pushJsonString(writer, channel, 0, channel.length);
  writer.pushLatin1(',"missed":');
  if (missed === null) writer.pushLatin1("null");
  else writer.pushInteger(missed);
  writer.pushLatin1("}\n\n");
}

/**
 * Where a stream begins. `asEvent`: for an EventSource, which keeps an id only when an empty line follows,
 * and some only with data; nobody listens to an event of this name. Others keep an id at once and hand each
 * empty line over as an empty message: for them it is a line of the first message, whose own id comes after
 * it.
 */
export function pushOpening(writer: ByteWriter, position: Position, asEvent: boolean): void {
  writer.pushLatin1(asEvent ? "event: position\ndata: \nid: " : "id: ");
  pushPosition(writer, position);
  writer.pushLatin1(asEvent ? "\n\n" : "\n");
}

export function pushIdLine(writer: ByteWriter, id: Position): void {
  writer.pushLatin1("id: ");
  pushPosition(writer, id);
  writer.pushByte(LF);
}

const pushField = (
  writer: ByteWriter,
  name: string,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void => {
  writer.pushLatin1(name);
  pushWithoutLineBreaks(writer, bytes, offset, length);
  writer.pushByte(LF);
};

/**
 * Text that starts with `: ` is taken as already formatted (push-stream spec 4.6), so formatting twice
 * changes nothing.
 */
const commentLines = (template: string): string => {
  if (template.startsWith(COMMENT)) return endLine(template);
  let comments = "";
  for (const line of template.split(/[\r\n]/)) {
    if (line !== "") comments += `${COMMENT}${line}\n`;
  }
  return comments;
};

const endLine = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);
