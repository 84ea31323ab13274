/**
 * What a client may say on sluice.json.v1 and sluice.msgpack.v1: maps with a `kind`, which is one of the
 * table below. Used by subscribe/client-messages.ts, which has the table of what is done with each.
 *
 * Strict, so that a field of a later version is refused here and not overlooked.
 */
import { traceOf } from "../http/traceparent.ts";
import { type FlatValue, readFlatMap } from "./flat-map.ts";
import { packMap } from "./msgpack-message.ts";
import { type DataOf, type Fields, jsonData, msgpackData } from "./published-data.ts";

/** The client's own name for its frame, given back with what became of it; null: it gave none. */
export type Ref = string | number | null;

export interface PublishFrame {
  readonly kind: "publish";
  readonly ref: Ref;
  /** null: the client leaves it to the location. */
  readonly channel: Uint8Array | null;
  readonly data: Uint8Array;
  /** Of idempotency; null: it may come as often as it likes. */
  readonly key: Uint8Array | null;
  /** Null as well where what it says is none. */
  readonly trace: Uint8Array | null;
}

/** Another token in the place of the one the client came with. */
export interface TokenFrame {
  readonly kind: "token";
  readonly ref: Ref;
  readonly token: string;
}

/** Other channels for an open connection, as in a channels path: `news` or `news.b5`. */
export interface SubscribeFrame {
  readonly kind: "subscribe";
  readonly ref: Ref;
  readonly channels: readonly string[];
  /** One for each channel, empty where it has none; or none at all. */
  readonly positions: readonly string[];
}

export interface UnsubscribeFrame {
  readonly kind: "unsubscribe";
  readonly ref: Ref;
  readonly channels: readonly string[];
}

export interface FaultyFrame {
  readonly kind: "faulty";
  readonly ref: Ref;
  readonly fault: string;
}

/** By kind. */
export interface ClientFrames {
  readonly publish: PublishFrame;
  readonly token: TokenFrame;
  readonly subscribe: SubscribeFrame;
  readonly unsubscribe: UnsubscribeFrame;
  readonly faulty: FaultyFrame;
}

export type ClientFrame = ClientFrames[keyof ClientFrames];
type GoodFrame = Exclude<ClientFrame, FaultyFrame>;

interface Kind {
  /** Beside `kind` and `ref`. */
  readonly fields: readonly string[];
  /** A text: what is wrong with it. */
  read(fields: Fields, ref: Ref, dataOf: DataOf): GoodFrame | string;
}

const KINDS: Readonly<Record<GoodFrame["kind"], Kind>> = {
  publish: {
    fields: ["channel", "data", "data_base64", "key", "traceparent"],
    read(fields, ref, dataOf) {
      const { channel = null, key = null } = fields;
      if (channel !== null && typeof channel !== "string") return "channel is no text.";
      if (key !== null && typeof key !== "string") return "key is no text.";
      const data = dataOf(fields);
      if (data === null) return "data is missing, or not of a kind that can be published.";
      const trace = traceOf(fields["traceparent"]);
      return { kind: "publish", ref, channel: channelOf(channel), data, key: bytesOf(key), trace };
    },
  },
  token: {
    fields: ["token"],
    read({ token }, ref) {
      return typeof token === "string" ? { kind: "token", ref, token } : "token is no text.";
    },
  },
  subscribe: {
    fields: ["channels", "positions"],
    read({ channels, positions = [] }, ref) {
      if (!isChannels(channels)) return NOT_CHANNELS;
      if (!isTexts(positions)) return "positions is no list of texts.";
      return { kind: "subscribe", ref, channels, positions };
    },
  },
  unsubscribe: {
    fields: ["channels"],
    read({ channels }, ref) {
      return isChannels(channels) ? { kind: "unsubscribe", ref, channels } : NOT_CHANNELS;
    },
  },
};

let lastChannel = "";
let lastChannelBytes: Uint8Array | null = null;

/** Clients publish to the same channel again and again. Nobody writes to these bytes. */
function channelOf(channel: string | null): Uint8Array | null {
  if (channel === null || channel.length > MOST_KEPT) return bytesOf(channel);
  if (channel !== lastChannel || lastChannelBytes === null) lastChannelBytes = Buffer.from(channel);
  lastChannel = channel;
  return lastChannelBytes;
}

const bytesOf = (text: string | null): Uint8Array | null => (text === null ? null : Buffer.from(text));

const NOT_CHANNELS = "channels is no list of names.";

/** A slash would make two of one. */
const isChannels = (value: unknown): value is readonly string[] =>
  isTexts(value) && value.length > 0 && !value.some((name) => name === "" || name.includes("/"));
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");

/** Of a channel's name. */
const MOST_KEPT = 1024;
const MAX_REF_BYTES = 256;
/** Of the name of a field that is given back. */
const MAX_SHOWN = 40;

const OPENED = 0x7b;

/** null: no frame, but a text as it is. */
export function readJsonFrame(text: string): ClientFrame | null {
  if (text.charCodeAt(0) !== OPENED && !/^\s*\{/.test(text)) return null;
  let map: unknown;
  try {
    map = JSON.parse(text);
  } catch {
    return null;
  }
  return typeof map === "object" && map !== null ? frameOf(map as Fields, jsonData) : null;
}

/** null: not this, whatever it is. */
export function readMsgpackFrame(bytes: Uint8Array): ClientFrame | null {
  const fields: ReadonlyMap<string, FlatValue> | null = readFlatMap(bytes);
  return fields === null ? null : frameOf(Object.fromEntries(fields), msgpackData);
}

/** What a server answers, in the client's form. */
export const jsonAnswer = (map: Fields): string => JSON.stringify(map);
export const msgpackAnswer = (map: Fields): Uint8Array => packMap(map);

function frameOf(fields: Fields, dataOf: DataOf): ClientFrame | null {
  const { kind: name, ref = null } = fields;
  const kind =
    typeof name === "string" && Object.hasOwn(KINDS, name) ? KINDS[name as GoodFrame["kind"]] : null;
  if (kind === null) return null;
  if (!isRef(ref)) return faulty(null, `ref is a number, or text of up to ${MAX_REF_BYTES} bytes.`);
  for (const field in fields)
    if (field !== "kind" && field !== "ref" && !kind.fields.includes(field))
      return faulty(ref, `${field.slice(0, MAX_SHOWN)} is no field of a ${name}.`);
  const frame = kind.read(fields, ref, dataOf);
  return typeof frame === "string" ? faulty(ref, frame) : frame;
}

const faulty = (ref: Ref, fault: string): FaultyFrame => ({ kind: "faulty", ref, fault });

const isRef = (ref: unknown): ref is Ref =>
  ref === null ||
  (typeof ref === "string"
    ? Buffer.byteLength(ref) <= MAX_REF_BYTES
    : typeof ref === "number" && Number.isFinite(ref));
