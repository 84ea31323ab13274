/** What a POST to a `revoke` location says. Called by plugin.ts. */
import type { Revocation, RevokedName } from "./revocations.ts";

const MAX_NAME_BYTES = 256;
const MAX_TTL_SEC = 30 * 24 * 3600;
const MAX_WORD = 0xffffffff;
const KNOWN = ["sub", "jti", "issued_before", "ttl"];

/** A text: why it is none. */
export function readRevocation(body: Uint8Array, type: string, nowSec: number): Revocation | string {
  const fields = fieldsOf(body, type);
  if (fields === null) return "The body is neither a form nor a JSON object.";
  const foreign = Object.keys(fields).find((name) => !KNOWN.includes(name));
  if (foreign !== undefined) return "There are sub, jti, issued_before and ttl.";
  const { sub, jti } = fields;
  const before = numberOf(fields["issued_before"]);
  const ttl = numberOf(fields["ttl"]);
  if (ttl === null || ttl < 1 || ttl > MAX_TTL_SEC)
    return `ttl is a number of seconds from 1 to ${MAX_TTL_SEC}.`;
  if (before === null && fields["issued_before"] !== undefined)
    return "issued_before is a time in seconds since 1970.";
  const name = nameOf(sub, jti);
  if (name === null) return `One of sub and jti, with 1 to ${MAX_NAME_BYTES} bytes.`;
  if (name.kind === "all" && before === null) return "Without sub and jti it needs issued_before.";
  return { name, issuedBeforeSec: before, untilSec: Math.min(MAX_WORD, nowSec + ttl) };
}

function nameOf(sub: unknown, jti: unknown): RevokedName | null {
  if (sub === undefined && jti === undefined) return { kind: "all", value: "" };
  const value = sub ?? jti;
  const isName = typeof value === "string" && value !== "" && Buffer.byteLength(value) <= MAX_NAME_BYTES;
  if (!isName || (sub !== undefined && jti !== undefined)) return null;
  return { kind: sub === undefined ? "jti" : "sub", value };
}

function numberOf(raw: unknown): number | null {
  const isText = typeof raw === "string" && /^\d{1,10}$/.test(raw);
  const value = isText ? Number(raw) : raw;
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_WORD
    ? value
    : null;
}

function fieldsOf(body: Uint8Array, type: string): Readonly<Record<string, unknown>> | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (!/^\s*\{/.test(text))
      return /^application\/json\b/i.test(type) ? null : Object.fromEntries(new URLSearchParams(text));
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    // Neither UTF-8 nor JSON.
    return null;
  }
}
