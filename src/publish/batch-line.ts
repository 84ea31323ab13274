/**
 * One line of a batch, from what it says to what is published, or what is wrong with it. The two forms
 * (NDJSON, MessagePack) give the same fields; batch-reader.ts reads them.
 *
 * Strict, so that a field of a later version is refused here and not overlooked.
 */
import type { Config } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { traceOf } from "../http/traceparent.ts";
import type { Marks } from "../message.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";
import type { DataOf, Fields } from "../wire/published-data.ts";
import { isKey, type Key } from "./idempotency.ts";
import type { KeyedDraft, Whereabouts } from "./put.ts";

/** The draft of what it publishes as well, once the rest of it is settled: an object less for each line. */
export class Line implements KeyedDraft, Whereabouts {
  readonly names: readonly Uint8Array[];
  readonly whole: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  /** The idempotency key, as it was sent. */
  readonly sentKey: Uint8Array | null;
  readonly trace: Uint8Array | null;
  stored = true;
  marks: Marks | null = null;
  key: Key | null = null;
  #data: Uint8Array | null = null;

  constructor(
    names: readonly Uint8Array[],
    whole: Uint8Array,
    start: number,
    length: number,
    eventId: Uint8Array | null = null,
    eventType: Uint8Array | null = null,
    sentKey: Uint8Array | null = null,
    trace: Uint8Array | null = null,
  ) {
    this.names = names;
    this.whole = whole;
    this.start = start;
    this.length = length;
    this.eventId = eventId;
    this.eventType = eventType;
    this.sentKey = sentKey;
    this.trace = trace;
  }

  /** A view, for whoever needs one: most lines go from the body into the store without. */
  get data(): Uint8Array {
    this.#data ??= this.whole.subarray(this.start, this.start + this.length);
    return this.#data;
  }
}

/** As refusals have it. */
export type Fault = Pick<Refusal, "status" | "code" | "explain">;

const FIELDS: readonly string[] = [
  "channel",
  "channels",
  "data",
  "data_base64",
  "event_id",
  "event_type",
  "key",
  "traceparent",
];
/** Of the name of a field that is given back. */
const MAX_SHOWN = 40;
/** What the store takes. */
const MAX_EVENT_NAME_BYTES = 65_534;

export class LineReader {
  readonly #limits: Config["limits"];
  readonly #eventsChannel: Uint8Array;
  readonly #maxMessageBytes: number;
  /** Of the line before: batches go to the same channel again and again. */
  #lastChannel = "";
  #lastNames: readonly Uint8Array[] = [];

  constructor({ limits, messages }: Config, maxMessageBytes: number) {
    this.#limits = limits;
    this.#eventsChannel = Buffer.from(messages.eventsChannelId);
    this.#maxMessageBytes = maxMessageBytes;
  }

  read(fields: Fields, dataOf: DataOf): Line | Fault {
    for (const field in fields)
      if (!FIELDS.includes(field)) return lineFault(`${field.slice(0, MAX_SHOWN)} is no field of a message.`);
    const names = this.#names(fields);
    if ("status" in names) return names;
    const data = dataOf(fields);
    if (data === null) return lineFault("data is missing, or not of a kind that can be published.");
    if (data.length === 0) return Refusals.emptyMessage;
    const eventId = text(fields, "event_id");
    if (isFault(eventId)) return eventId;
    const eventType = text(fields, "event_type");
    if (isFault(eventType)) return eventType;
    const key = text(fields, "key");
    if (isFault(key)) return key;
    const trace = traceOf(fields["traceparent"]);
    return this.#whole(new Line(names, data, 0, data.length, eventId, eventType, key, trace));
  }

  /** A line of these two alone: the data are there in the body. */
  plain(channel: string, body: Uint8Array, start: number, length: number): Line | Fault {
    const names = this.#named(channel);
    if ("status" in names) return names;
    if (length === 0) return Refusals.emptyMessage;
    return this.#whole(new Line(names, body, start, length));
  }

  #whole(line: Line): Line | Fault {
    const { length, eventId, eventType, sentKey } = line;
    const idBytes = eventId?.length ?? 0;
    const typeBytes = eventType?.length ?? 0;
    if (Math.max(idBytes, typeBytes) > MAX_EVENT_NAME_BYTES) return Refusals.eventNameTooLarge;
    if (sentKey !== null && !isKey(sentKey)) return Refusals.faultyKey;
    const bytes = length + idBytes + typeBytes;
    return bytes > this.#maxMessageBytes
      ? { ...Refusals.noRoom, explain: "It is larger than the store." }
      : line;
  }

  #names({ channel, channels }: Fields): readonly Uint8Array[] | Fault {
    if (typeof channel === "string" && channels === undefined) return this.#named(channel);
    if (channel !== undefined || !Array.isArray(channels))
      return lineFault("channel is text, or channels a list of texts.");
    return channels.length === 0 ? Refusals.noChannel : this.#list(channels);
  }

  #named(channel: string): readonly Uint8Array[] | Fault {
    if (channel === this.#lastChannel && this.#lastNames.length > 0) return this.#lastNames;
    const name = this.#name(channel);
    if ("status" in name) return name;
    this.#lastChannel = channel;
    this.#lastNames = [name];
    return this.#lastNames;
  }

  #list(channels: readonly unknown[]): readonly Uint8Array[] | Fault {
    if (channels.length > (this.#limits.maxChannelsPerRequest || Number.POSITIVE_INFINITY))
      return Refusals.tooManyChannelsInRequest;
    const names: Uint8Array[] = [];
    for (const each of channels) {
      const name = typeof each === "string" ? this.#name(each) : lineFault("channels is a list of texts.");
      if ("status" in name) return name;
      names.push(name);
    }
    return names;
  }

  /**
   * One name, as a path would have it: what looks like several, or like old messages, could never be asked
   * for.
   */
  #name(channel: string): Uint8Array | Fault {
    const path = Buffer.from(channel).toString("latin1");
    const parsed = parseChannelsPath(path, 1);
    if (parsed === "empty") return Refusals.noChannel;
    const [name] = parsed === "too many" ? [] : parsed.names;
    if (name?.length !== path.length || name.length === 0)
      return lineFault("channel is the name of one channel, without / and .b5 behind it.");
    if (this.#eventsChannel.length > 0 && Buffer.compare(name, this.#eventsChannel) === 0)
      return Refusals.eventsChannelReadOnly;
    return nameRefusal(name, this.#limits.maxChannelIdLength) ?? name;
  }
}

export const lineFault = (explain: string): Fault => ({ ...Refusals.faultyBatch, explain });

const isFault = (value: Uint8Array | Fault | null): value is Fault => value !== null && "status" in value;

/** null: it is not there. */
function text(fields: Fields, name: string): Uint8Array | Fault | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? Buffer.from(value) : lineFault(`${name} is no text.`);
}
