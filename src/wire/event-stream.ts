/**
 * Server-sent events (WHATWG HTML 9.2; push-stream spec 4.14): messages, header and footer comments, pings
 * and gap events as bytes. Used by the eventsource subscriber mode.
 *
 * Everything a publisher or a URL chose (event id, event type, channel name) loses CR, LF and NUL here: a
 * value must not be able to forge a line of the stream.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import type { TokenWriter } from "./position.ts";
import type { Renderable } from "./renderable.ts";
import { type CompiledTemplate, compileTemplate, pushWithoutLineBreaks } from "./template.ts";

const LF = 0x0a;
const CR = 0x0d;
const COMMENT = ": ";
const DATA = "data: ";

const encoder = new TextEncoder();

/** Sent every ping interval: a comment, so that no client sees an event (push-stream spec 4.9). */
export const EVENT_STREAM_PING: Uint8Array = encoder.encode(": -1\n");

/**
 * Compiles a message template for event streams. A template that starts with `data: ` is taken as already
 * formatted (push-stream spec 4.6); the module then also leaves out the line end, which makes a stream no
 * client can read, so it is added if missing.
 */
export function compileEventStream(template: string): CompiledEventStream {
  const formatted = template.startsWith(DATA) ? template : DATA + template;
  const bareTemplate = template.startsWith(DATA) ? template.slice(DATA.length) : template;
  const isPlainText = compileTemplate(bareTemplate).isPlainText;
  return new CompiledEventStream(compileTemplate(endLine(formatted), "strip"), isPlainText);
}

export class CompiledEventStream {
  /** Renders one line with its `data: ` and line end. */
  readonly #line: CompiledTemplate;
  /** The whole template is `~text~`: lines are copied between constants without running a program. */
  readonly #isPlainText: boolean;

  constructor(line: CompiledTemplate, isPlainText: boolean) {
    this.#line = line;
    this.#isPlainText = isPlainText;
  }

  /**
   * Appends one event. `id` (event_ids = "auto") takes the place of the publisher's Event-Id; null leaves
   * that in. Returns where its data begins: padding counts from there (push-stream spec 4.8).
   */
  render(writer: ByteWriter, message: Renderable, id: TokenWriter | null): number {
    const { bytes, eventIdLength, eventTypeLength } = message;
    if (id !== null) pushIdLine(writer, id);
    else if (eventIdLength >= 0) pushField(writer, "id: ", bytes, 0, eventIdLength);
    if (eventTypeLength >= 0) {
      pushField(writer, "event: ", bytes, Math.max(eventIdLength, 0), eventTypeLength);
    }
    const dataStart = writer.length;
    this.#pushLines(writer, message);
    writer.pushByte(LF);
    return dataStart;
  }

  /**
   * Lines end at CRLF, LF or CR. Empty ones are dropped, so CRLF needs no special case: it leaves an empty
   * line.
   */
  #pushLines(writer: ByteWriter, message: Renderable): void {
    const end = message.dataOffset + message.dataLength;
    let lineStart = message.dataOffset;
    for (let at = lineStart; at <= end; at++) {
      if (at < end && message.bytes[at] !== LF && message.bytes[at] !== CR) continue;
      if (at > lineStart) this.#pushLine(writer, message, lineStart, at - lineStart);
      lineStart = at + 1;
    }
  }

  #pushLine(writer: ByteWriter, message: Renderable, offset: number, length: number): void {
    if (!this.#isPlainText) {
      this.#line.renderPart(writer, message, offset, length);
      return;
    }
    writer.pushLatin1(DATA);
    writer.pushRange(message.bytes, offset, length);
    writer.pushByte(LF);
  }
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
  id: TokenWriter | null,
): void {
  if (id !== null) pushIdLine(writer, id);
  writer.pushLatin1('event: gap\ndata: {"channel":');
  pushJsonString(writer, channel, 0, channel.length);
  writer.pushLatin1(',"missed":');
  if (missed === null) writer.pushLatin1("null");
  else writer.pushInteger(missed);
  writer.pushLatin1("}\n\n");
}

const pushIdLine = (writer: ByteWriter, id: TokenWriter): void => {
  writer.pushLatin1("id: ");
  id.writeToken(writer);
  writer.pushByte(LF);
};

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
