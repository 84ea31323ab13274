/**
 * What a client may say on sluice.json.v1 and sluice.msgpack.v1: `{"kind":"publish","ref","channel","data"}` and
 * `{"kind":"token","ref","token"}`, and the frames that tell it what was refused, and that a token is good. Used by subscribe/client-messages.ts.
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

/** Another token in the place of the one the client came with. */
export interface TokenFrame {
  readonly ref: Ref;
  readonly token: string;
}

export interface FaultyFrame {
  readonly ref: Ref;
  readonly fault: string;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_REF_BYTES = 256;
const JSON_FIELDS = ["kind", "ref", "channel", "data", "data_base64"];
const MSGPACK_FIELDS = ["kind", "ref", "channel", "data"];
const TOKEN_FIELDS = ["kind", "ref", "token"];
/** Of the name of a field that is given back. */
const MAX_SHOWN = 40;

/** null: no publish frame, but a text as it is. */
export function readJsonPublish(text: string): PublishFrame | TokenFrame | FaultyFrame | null {
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
export function readMsgpackPublish(bytes: Uint8Array): PublishFrame | TokenFrame | FaultyFrame | null {
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

/** The token is good; `expires` null: it has no end. */
export const jsonRenewed = (ref: Ref, expires: number | null): string =>
  JSON.stringify({ kind: "token", ref, expires });

export const packRenewed = (ref: Ref, expires: number | null): Uint8Array =>
  packMap({ kind: "token", ref, expires });

function publishFrame(
  map: unknown,
  known: readonly string[],
  dataOf: (fields: Fields) => Uint8Array | null,
): PublishFrame | TokenFrame | FaultyFrame | null {
  if (typeof map !== "object" || map === null) return null;
  const fields: Fields = { ...map };
  const { kind, ref = null, channel = null } = fields;
  if (kind !== "publish" && kind !== "token") return null;
  if (!isRef(ref)) return { ref: null, fault: `ref is a number, or text of up to ${MAX_REF_BYTES} bytes.` };
  const mine = kind === "token" ? TOKEN_FIELDS : known;
  const foreign = Object.keys(fields).find((name) => !mine.includes(name));
  if (foreign !== undefined)
    return { ref, fault: `${foreign.slice(0, MAX_SHOWN)} is no field of a ${kind}.` };
  if (kind === "token") {
    const { token } = fields;
    return typeof token === "string" ? { ref, token } : { ref, fault: "token is no text." };
  }
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
