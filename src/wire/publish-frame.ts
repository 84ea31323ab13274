/**
 * What a client may say on sluice.json.v1 and sluice.msgpack.v1: `{"kind":"publish","ref","channel","data"}`, and the frame that tells it
 * what was refused. Used by subscribe/client-messages.ts.
 *
 * Strict, so that a field of a later version is refused here and not overlooked.
 */
import type { Refusal } from "../errors.ts";
import { readFlatMap } from "./flat-map.ts";
import { packMap } from "./msgpack-message.ts";

/** The client's own name for its message, given back with what became of it; null: it gave none. */
export type Ref = string | number | null;

export interface PublishFrame {
  readonly ref: Ref;
  /** null: the client leaves it to the location. */
  readonly channel: Uint8Array | null;
  readonly data: Uint8Array;
}

export interface FaultyFrame {
  readonly ref: Ref;
  readonly fault: string;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_REF_BYTES = 256;
const JSON_FIELDS = ["kind", "ref", "channel", "data", "data_base64"];
const MSGPACK_FIELDS = ["kind", "ref", "channel", "data"];
/** Of the name of a field that is given back. */
const MAX_SHOWN = 40;

/** null: no publish frame, but a text as it is. */
export function readJsonPublish(text: string): PublishFrame | FaultyFrame | null {
  if (!/^\s*\{/.test(text)) return null;
  let map: unknown;
  try {
    map = JSON.parse(text);
  } catch {
    return null;
  }
  return publishFrame(map, JSON_FIELDS, jsonData);
}

/** null: not this, whatever it is. */
export function readMsgpackPublish(bytes: Uint8Array): PublishFrame | FaultyFrame | null {
  const fields = readFlatMap(bytes);
  if (fields === null) return null;
  return publishFrame(Object.fromEntries(fields), MSGPACK_FIELDS, ({ data }) => {
    if (typeof data === "string") return Buffer.from(data);
    return data instanceof Uint8Array ? data : null;
  });
}

export const jsonRefused = (ref: Ref, { status, explain }: Pick<Refusal, "status" | "explain">): string =>
  JSON.stringify({ kind: "refused", ref, status, explain });

export const packRefused = (ref: Ref, { status, explain }: Pick<Refusal, "status" | "explain">): Uint8Array =>
  packMap({ kind: "refused", ref, status, explain });

function publishFrame(
  map: unknown,
  known: readonly string[],
  dataOf: (fields: Fields) => Uint8Array | null,
): PublishFrame | FaultyFrame | null {
  if (typeof map !== "object" || map === null) return null;
  const fields: Fields = { ...map };
  if (fields["kind"] !== "publish") return null;
  const { ref = null, channel = null } = fields;
  if (!isRef(ref)) return { ref: null, fault: `ref is a number, or text of up to ${MAX_REF_BYTES} bytes.` };
  const foreign = Object.keys(fields).find((name) => !known.includes(name));
  if (foreign !== undefined)
    return { ref, fault: `${foreign.slice(0, MAX_SHOWN)} is no field of a publish.` };
  if (channel !== null && typeof channel !== "string") return { ref, fault: "channel is no text." };
  const data = dataOf(fields);
  if (data === null) return { ref, fault: "data is missing, or not of a kind that can be published." };
  return { ref, channel: channel === null ? null : Buffer.from(channel), data };
}

function jsonData({ data, data_base64: base64 }: Fields): Uint8Array | null {
  if (data !== undefined && base64 !== undefined) return null;
  if (typeof data === "string") return Buffer.from(data);
  if (typeof base64 !== "string") return null;
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    // Buffer.from would publish as much of it as could be read.
    return null;
  }
}

const isRef = (ref: unknown): ref is Ref =>
  ref === null ||
  (typeof ref === "string"
    ? Buffer.byteLength(ref) <= MAX_REF_BYTES
    : typeof ref === "number" && Number.isFinite(ref));
