/**
 * The formats of subscribe endpoints: a location's templates as plain text, as event stream, and padded. Made
 * by format-shelf.ts, one object for all that look the same; fanout encodes with them. Those of sluice's own
 * subprotocols are own-formats.ts.
 */
import type { Format, PresenceWords } from "../fanout/format.ts";
import type { LocalChannel } from "../fanout/local-channel.ts";
import { CHANNEL_DELETED_ID } from "../message.ts";
import type { Message } from "../store/message/message-view.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import {
  type CompiledEventStream,
  compileEventStream,
  type EventLines,
  pushGapEvent,
  pushIdLine,
} from "../wire/event-stream.ts";
import type { Padding } from "../wire/padding.ts";
import type { Position } from "../wire/position.ts";
import { pushPresenceEvent } from "../wire/presence-event.ts";
import { type CompiledTemplate, compileTemplate } from "../wire/template.ts";
import { numberFor, Place, presenceWords } from "./presence-words.ts";

/** A format that can say where the part begins that padding looks at (push-stream spec 4.8). */
export interface PaddableFormat extends Format {
  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): number;
}

/** A location's message template, byte for byte: streaming, polls, and WebSocket without a subprotocol. */
export class TemplateFormat implements PaddableFormat {
  readonly perConnection = false;
  readonly binary = false;
  readonly tellsGaps = false;
  readonly key: string;
  readonly #template: CompiledTemplate;
  constructor(key: string, template: string) {
    this.key = key;
    this.#template = compileTemplate(template);
  }

  message(writer: ByteWriter, m: Message): number {
    const start = writer.length;
    this.#template.render(writer, m);
    return start;
  }

  /** A template has no words for it. */
  gap(): boolean {
    return false;
  }
}

/** Event stream whose ids are the publisher's (push-stream spec 4.14), or none as in a poll. */
export class EventStreamFormat implements PaddableFormat {
  readonly perConnection = false;
  readonly binary = false;
  readonly tellsGaps = false;
  readonly key: string;
  readonly #template: CompiledEventStream;
  constructor(key: string, template: string, lines: EventLines) {
    this.key = key;
    this.#template = compileEventStream(template, lines);
  }

  message(writer: ByteWriter, m: Message): number {
    return this.#template.render(writer, m, null);
  }

  gap(): boolean {
    return false;
  }
}

/**
 * Event stream whose ids are positions (`event_ids = "auto"`), so that a browser's reconnect resumes and is
 * told of gaps.
 */
export class PositionedEventStreamFormat implements PaddableFormat {
  readonly binary = false;
  readonly tellsGaps = true;
  readonly key: string;
  /** With several channels the id names them all, so it differs from connection to connection. */
  readonly perConnection: boolean;
  readonly #template: CompiledEventStream;
  readonly #single = new Place();
  readonly #rest: EventRest;
  readonly presence: PresenceWords | null;
  constructor(key: string, template: string, severalChannels: boolean, tellsPresence = false) {
    this.presence = tellsPresence ? presenceWords(pushPresenceEvent) : null;
    this.key = key;
    this.perConnection = severalChannels;
    this.#template = compileEventStream(template, "whole");
    this.#rest = new EventRest(this.#template);
  }

  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): number {
    // The deletion ends what the position was good for.
    if (m.id === CHANNEL_DELETED_ID) return this.#template.render(writer, m, null);
    if (at === null) {
      const number = this.presence === null ? 0 : m.number;
      return this.#template.render(writer, m, this.#single.in(channel, m.id, number));
    }
    pushIdLine(writer, at);
    return this.#rest.push(writer, m, channel);
  }

  gap(
    writer: ByteWriter,
    channel: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean {
    pushGapEvent(
      writer,
      channel.name,
      missed,
      at ?? this.#single.in(channel, upTo, numberFor(this, channel)),
    );
    return true;
  }
}

/** Of events whose ids differ from connection to connection, what does not: made once a message. */
class EventRest {
  readonly #template: CompiledEventStream;
  readonly #bytes = new ByteWriter();
  /** Of which message: ids count in a channel, time and tag in the store. */
  #channel: LocalChannel | null = null;
  #id = 0;
  #time = 0;
  #tag = 0;
  #dataStart = 0;

  constructor(template: CompiledEventStream) {
    this.#template = template;
  }

  /** Where its data begins. */
  push(writer: ByteWriter, m: Message, channel: LocalChannel): number {
    if (!this.#isOf(m, channel)) {
      this.#bytes.reset();
      this.#dataStart = this.#template.renderRest(this.#bytes, m);
      this.#channel = channel;
      this.#id = m.id;
      this.#time = m.time;
      this.#tag = m.tag;
    }
    const start = writer.length;
    writer.pushRange(this.#bytes.bytes, 0, this.#bytes.length);
    return start + this.#dataStart;
  }

  #isOf(m: Message, channel: LocalChannel): boolean {
    return this.#channel === channel && this.#id === m.id && this.#time === m.time && this.#tag === m.tag;
  }
}

/**
 * Another format, each message filled up to a minimum. A format of its own, so that all who are padded alike
 * share the bytes.
 */
export class PaddedFormat implements Format {
  readonly perConnection: boolean;
  readonly binary = false;
  readonly tellsGaps: boolean;
  readonly key: string;
  readonly #bare: PaddableFormat;
  readonly presence: PresenceWords | null;
  readonly #padding: Padding;
  readonly #minLength: number;
  constructor(key: string, bare: PaddableFormat, padding: Padding, minLength: number) {
    this.key = key;
    this.perConnection = bare.perConnection;
    this.tellsGaps = bare.tellsGaps;
    this.presence = bare.presence ?? null;
    this.#bare = bare;
    this.#padding = padding;
    this.#minLength = minLength;
  }

  message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void {
    const start = this.#bare.message(writer, m, channel, at);
    this.#padding.push(writer, writer.length - start, this.#minLength);
  }

  gap(
    writer: ByteWriter,
    channel: LocalChannel,
    missed: number | null,
    upTo: number,
    at: Position | null,
  ): boolean {
    return this.#bare.gap(writer, channel, missed, upTo, at);
  }
}
