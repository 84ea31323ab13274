/**
 * A grant as a backend or a handler says it, in JSON: `{ "sub", "subscribe", "publish", "exp", "info" }`.
 * Used for the answers of auth_request and for what `authorize` returns.
 */
import type { Grant } from "../config/grant/grant.ts";
import { compilePatterns, exactly, readPatterns } from "../config/grant/patterns.ts";
import type { Fetched } from "./bounded-fetch.ts";
import { LAST_SEC } from "./claims.ts";

const MAX_SUB_BYTES = 256;

/**
 * 2xx without JSON lets in to what was asked for, and no more. null: there is JSON, and it is no grant. What
 * is left out of a grant is not granted.
 */
export function grantOfAnswer({ headers, body }: Fetched, channels: readonly string[]): Grant | null {
  const type = headers.get("content-type") ?? "";
  if (body.length === 0 || !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) return asAsked(channels);
  try {
    return grantOf(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)));
  } catch {
    // Neither UTF-8 nor JSON.
    return null;
  }
}

/** null: it is none. */
export function grantOf(raw: unknown): Grant | null {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return null;
  const { sub = null, exp = null, subscribe, publish, info } = raw as Readonly<Record<string, unknown>>;
  const isSub =
    sub === null || (typeof sub === "string" && sub !== "" && Buffer.byteLength(sub) <= MAX_SUB_BYTES);
  const isExp = exp === null || (typeof exp === "number" && exp >= 0 && exp <= LAST_SEC);
  const read = { subscribe: readPatterns(subscribe), publish: readPatterns(publish) };
  if (!isSub || !isExp || read.subscribe === null || read.publish === null) return null;
  return {
    sub,
    jti: null,
    issuedSec: nowSec(),
    endMs: exp === null ? Number.POSITIVE_INFINITY : exp * 1000,
    expiresSec: exp,
    subscribe: compilePatterns(read.subscribe, sub),
    publish: compilePatterns(read.publish, sub),
    info,
  };
}

/** `channels` are binary strings, and names. */
function asAsked(channels: readonly string[]): Grant {
  const names = exactly(channels);
  return {
    sub: null,
    jti: null,
    issuedSec: nowSec(),
    endMs: Number.POSITIVE_INFINITY,
    expiresSec: null,
    subscribe: names,
    publish: names,
    info: undefined,
  };
}

/** It is as new as the answer. */
const nowSec = (): number => Math.floor(Date.now() / 1000);
