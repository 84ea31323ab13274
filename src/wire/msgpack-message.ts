/**
 * The WebSocket subprotocol sluice.msgpack.v1: the maps of sluice.json.v1 in MessagePack, data as bin.
 * Encoders are used by fanout (once per message).
 *
 * "msgpackr/pack", not "msgpackr": the latter tries to load a native addon, which a single-file program
 * cannot carry.
 */
import { Packr } from "msgpackr/pack";
import { formatPosition, type Position } from "./position.ts";
import type { Renderable } from "./renderable.ts";

/**
 * Standard MessagePack only: records are msgpackr's own extension, and without variableMapSize every map has
 * a 16-bit length.
 */
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  int64AsType: "number",
});
/** ignoreBOM keeps a leading U+FEFF: names are bytes, not files. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const UINT32_MAX = 0xffffffff;

/** A constant frame: nothing in it depends on the connection. */
export const MSGPACK_PING: Uint8Array = packr.pack({ kind: "ping" });

/**
 * What msgpackr is given for a message; fields that are absent must not be there, undefined would be an
 * extension type.
 */
interface PackedMessage {
  kind: "message";
  channel: string;
  id: number | bigint;
  position: string;
  time: number | bigint;
  tag: number | bigint;
  event_id?: string;
  event_type?: string;
  traceparent?: string;
  data?: Uint8Array;
}

/** One binary frame with a message; `at` is where the whole connection stands behind it. */
export function packMessage(message: Renderable, at: Position): Uint8Array {
  const { bytes, dataOffset, dataLength, eventIdLength, eventTypeLength } = message;
  const packed: PackedMessage = {
    kind: "message",
    channel: decoder.decode(message.channel),
    id: integer(message.id),
    position: formatPosition(at),
    time: integer(message.time),
    tag: integer(message.tag),
  };
  if (eventIdLength >= 0) packed.event_id = decoder.decode(bytes.subarray(0, eventIdLength));
  if (eventTypeLength >= 0) {
    const start = Math.max(eventIdLength, 0);
    packed.event_type = decoder.decode(bytes.subarray(start, start + eventTypeLength));
  }
  if (message.traceLength > 0) {
    const start = dataOffset + dataLength;
    packed.traceparent = decoder.decode(bytes.subarray(start, start + message.traceLength));
  }
  packed.data = bytes.subarray(dataOffset, dataOffset + dataLength);
  return packr.pack(packed);
}

/** A gap frame; missed null = cannot be known. The position is the one behind the gap. */
export function packGap(channel: Uint8Array, missed: number | null, at: Position): Uint8Array {
  return packr.pack({
    kind: "gap",
    channel: decoder.decode(channel),
    missed: missed === null ? null : integer(missed),
    position: formatPosition(at),
  });
}

/** The frame that says a channel was deleted; `text` is the deletion text (push-stream spec 2.7). */
export function packDeleted(channel: Uint8Array, text: Uint8Array): Uint8Array {
  return packr.pack({ kind: "deleted", channel: decoder.decode(channel), data: text });
}

/** The first frame of a connection: its channels in path order, and where it stands. */
export function packHello(channels: readonly Uint8Array[], at: Position): Uint8Array {
  return packr.pack({
    kind: "hello",
    channels: channels.map((channel) => decoder.decode(channel)),
    position: formatPosition(at),
  });
}

/** For frames that are small and rare. */
export const packMap = (map: Readonly<Record<string, unknown>>): Uint8Array => packr.pack(map);

/**
 * msgpackr writes numbers past 32 bits as floats, which typed clients refuse for an integer; a bigint becomes
 * int 64.
 */
const integer = (value: number): number | bigint => (value > UINT32_MAX ? BigInt(value) : value);
