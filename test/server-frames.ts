/**
 * What a server says on the subprotocols sluice.json.v1 and sluice.msgpack.v1, read and checked. Both
 * decoders give these shapes, so a test need not know which one it speaks.
 */
import { Unpackr } from "msgpackr/unpack";

const encoder = new TextEncoder();
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

export interface MessageFrame {
  readonly kind: "message";
  readonly channel: string;
  readonly id: number;
  /** Token of where the whole connection stands behind the message. */
  readonly position: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly tag: number;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly data: Uint8Array;
}

export interface GapFrame {
  readonly kind: "gap";
  readonly channel: string;
  /** null: cannot be known. */
  readonly missed: number | null;
  readonly position: string;
}

export interface DeletedFrame {
  readonly kind: "deleted";
  readonly channel: string;
  readonly data: Uint8Array;
}

/** Always the first frame. */
export interface HelloFrame {
  readonly kind: "hello";
  readonly channels: readonly string[];
  /** Token of where the connection begins. */
  readonly position: string;
}

export type ServerFrame = MessageFrame | GapFrame | DeletedFrame | HelloFrame | { readonly kind: "ping" };

type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks a decoded map. `dataOf` reads the data field in the way of the wire form; null from it, a missing
 * field or an unknown kind gives null: the peer is not a sluice this client knows.
 */
export function serverFrame(map: unknown, dataOf: (fields: Fields) => Uint8Array | null): ServerFrame | null {
  if (!isFields(map)) return null;
  const { kind, channel } = map as { kind?: unknown; channel?: unknown };
  if (kind === "ping") return { kind };
  if (kind === "hello") return helloFrame(map);
  if (typeof channel !== "string") return null;
  if (kind === "gap") return gapFrame(map, channel);
  const data = dataOf(map);
  if (data === null) return null;
  if (kind === "deleted") return { kind, channel, data };
  return kind === "message" ? messageFrame(map, channel, data) : null;
}

const helloFrame = (map: Fields): HelloFrame | null => {
  const channels = map["channels"];
  const position = map["position"];
  return isStrings(channels) && typeof position === "string" ? { kind: "hello", channels, position } : null;
};

const gapFrame = (map: Fields, channel: string): GapFrame | null => {
  const missed = map["missed"];
  const position = map["position"];
  if (typeof position !== "string" || (missed !== null && typeof missed !== "number")) return null;
  return { kind: "gap", channel, missed, position };
};

const messageFrame = (map: Fields, channel: string, data: Uint8Array): MessageFrame | null => {
  const { id, position, time, tag } = map as {
    id?: unknown;
    position?: unknown;
    time?: unknown;
    tag?: unknown;
  };
  if (typeof id !== "number" || typeof time !== "number" || typeof tag !== "number") return null;
  if (typeof position !== "string") return null;
  const eventId = textOrNull(map["event_id"]);
  const eventType = textOrNull(map["event_type"]);
  return { kind: "message", channel, id, position, time, tag, eventId, eventType, data };
};

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/** Reads one text frame; null if it is not a frame of this subprotocol. */
export function decodeJsonFrame(text: string): ServerFrame | null {
  let map: unknown;
  try {
    map = JSON.parse(text);
  } catch {
    return null;
  }
  return serverFrame(map, (fields) => {
    const plain = fields["data"];
    if (typeof plain === "string") return encoder.encode(plain);
    const base64 = fields["data_base64"];
    return typeof base64 === "string" ? Buffer.from(base64, "base64") : null;
  });
}

/** Reads one binary frame; null if it is not a frame of this subprotocol. */
export function decodeMsgpackFrame(frame: Uint8Array): ServerFrame | null {
  let map: unknown;
  try {
    map = unpackr.unpack(frame);
  } catch {
    return null;
  }
  return serverFrame(map, (fields) => {
    const data = fields["data"];
    return data instanceof Uint8Array ? data : null;
  });
}
