/**
 * Message templates (push-stream spec 4.5): text with `~tokens~`, compiled once per location, rendered once
 * per message and wire form. Used by every subscriber mode.
 *
 * A template becomes a flat program, so rendering never searches text: neither the template's nor, above all,
 * the message's (a body full of `~text~` must cost what any other body costs, spec 2.4).
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushHttpDate } from "./http-date.ts";
import type { Renderable } from "./renderable.ts";

const OP_LITERAL = 0;
const OP_ID = 1;
const OP_CHANNEL = 2;
const OP_TEXT = 3;
const OP_SIZE = 4;
const OP_TIME = 5;
const OP_TAG = 6;
const OP_EVENT_ID = 7;
const OP_EVENT_TYPE = 8;

const OPERATION_OF: Readonly<Record<string, number>> = {
  "~id~": OP_ID,
  "~channel~": OP_CHANNEL,
  "~text~": OP_TEXT,
  "~size~": OP_SIZE,
  "~time~": OP_TIME,
  "~tag~": OP_TAG,
  "~event-id~": OP_EVENT_ID,
  "~event-type~": OP_EVENT_TYPE,
};

/** No repetition in it, so it cannot backtrack; runs over configuration only. */
const TOKEN = /~(?:id|channel|text|size|time|tag|event-id|event-type)~/gi;

const NO_BYTES = new Uint8Array(0);
const LF = 0x0a;
const CR = 0x0d;
const encoder = new TextEncoder();

/**
 * Values that a publisher or subscriber chose and that must stay on their line. "keep": any byte; "strip": no
 * CR, LF, NUL.
 */
export type LineBreaks = "keep" | "strip";

interface Program {
  readonly operations: readonly number[];
  /** The bytes of each OP_LITERAL, at the same index; empty elsewhere. */
  readonly literals: readonly Uint8Array[];
}

/**
 * Compiles a template. With lineBreaks "strip", CR, LF and NUL inside channel names, event ids and event
 * types are left out, for line protocols; the text itself is always verbatim.
 */
export function compileTemplate(text: string, lineBreaks: LineBreaks = "keep"): CompiledTemplate {
  return new CompiledTemplate(parseTemplate(text), lineBreaks === "strip");
}

export class CompiledTemplate {
  /**
   * The template is `~text~` and nothing else: a message's data bytes are its rendering, no writer needed.
   */
  readonly isPlainText: boolean;
  readonly #operations: readonly number[];
  readonly #literals: readonly Uint8Array[];
  readonly #strip: boolean;

  constructor(program: Program, strip: boolean) {
    this.#operations = program.operations;
    this.#literals = program.literals;
    this.#strip = strip;
    this.isPlainText = program.operations.length === 1 && program.operations[0] === OP_TEXT;
  }

  /** Appends the rendered message. Nothing is escaped. */
  render(writer: ByteWriter, message: Renderable): void {
    this.renderPart(writer, message, message.dataOffset, message.dataLength);
  }

  /**
   * The same with only a part of message.bytes as the text: one line of it in an event stream (push-stream
   * spec 4.14).
   */
  renderPart(writer: ByteWriter, message: Renderable, textOffset: number, textLength: number): void {
    if (this.isPlainText) {
      writer.pushRange(message.bytes, textOffset, textLength);
      return;
    }
    for (let i = 0; i < this.#operations.length; i++) {
      switch (this.#operations[i]) {
        case OP_LITERAL:
          writer.pushBytes(this.#literals[i] ?? NO_BYTES);
          break;
        case OP_TEXT:
          writer.pushRange(message.bytes, textOffset, textLength);
          break;
        case OP_SIZE:
          writer.pushInteger(textLength);
          break;
        default:
          this.#pushProperty(writer, message, this.#operations[i] ?? OP_LITERAL);
      }
    }
  }

  #pushProperty(writer: ByteWriter, message: Renderable, operation: number): void {
    const ownMessage = message.id < 0;
    switch (operation) {
      case OP_ID:
        writer.pushInteger(message.id);
        break;
      case OP_CHANNEL:
        this.#pushName(writer, message.channel, 0, message.channel.length);
        break;
      case OP_TIME:
        pushHttpDate(writer, ownMessage ? 0 : message.time);
        break;
      case OP_TAG:
        writer.pushInteger(ownMessage ? 0 : message.tag);
        break;
      case OP_EVENT_ID:
        this.#pushName(writer, message.bytes, 0, message.eventIdLength);
        break;
      case OP_EVENT_TYPE:
        this.#pushName(writer, message.bytes, Math.max(message.eventIdLength, 0), message.eventTypeLength);
        break;
    }
  }

  #pushName(writer: ByteWriter, bytes: Uint8Array, offset: number, length: number): void {
    if (length <= 0) return;
    if (this.#strip) pushWithoutLineBreaks(writer, bytes, offset, length);
    else writer.pushRange(bytes, offset, length);
  }
}

/**
 * Appends a range without its CR, LF and NUL bytes, so that a value cannot forge a line or void an id (WHATWG
 * HTML 9.2.6).
 */
export function pushWithoutLineBreaks(
  writer: ByteWriter,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  const end = offset + length;
  let kept = offset;
  for (let at = offset; at < end; at++) {
    const byte = bytes[at];
    if (byte !== LF && byte !== CR && byte !== 0) continue;
    writer.pushRange(bytes, kept, at - kept);
    kept = at + 1;
  }
  writer.pushRange(bytes, kept, end - kept);
}

const parseTemplate = (text: string): Program => {
  const operations: number[] = [];
  const literals: Uint8Array[] = [];
  const add = (operation: number, literal: Uint8Array): void => {
    operations.push(operation);
    literals.push(literal);
  };
  let literalStart = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > literalStart) add(OP_LITERAL, encoder.encode(text.slice(literalStart, match.index)));
    add(OPERATION_OF[match[0].toLowerCase()] ?? OP_LITERAL, NO_BYTES);
    literalStart = match.index + match[0].length;
  }
  if (literalStart < text.length) add(OP_LITERAL, encoder.encode(text.slice(literalStart)));
  return { operations, literals };
};
