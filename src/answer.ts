/**
 * Answers without a body, and the headers every answer carries (push-stream spec 0.5, 0.6). Used by every endpoint. A leaf next to
 * errors.ts: one function turns a refusal into a response, so no endpoint can forget a header.
 */
import type { Refusal } from "./errors.ts";

/** On every ordinary answer: all but a WebSocket's 101 (spec 0.5). */
export const SERVER = { Server: "sluice" } as const;

/** On every answer of every role but a subscriber's OPTIONS and a WebSocket location's 405. The odd second is the dialect's. */
export const NO_CACHE = {
  Expires: "Thu, 01 Jan 1970 00:00:01 GMT",
  "Cache-Control": "no-cache, no-store, must-revalidate",
} as const;

/** Both. */
export const ANTI_CACHE = { ...SERVER, ...NO_CACHE } as const;

export type HeaderFields = Readonly<Record<string, string>>;

/** A header-only answer; Content-Length: 0 goes on every one of them, 304 included. */
export function headerOnly(status: number, fields: HeaderFields = {}): Response {
  return new Response(null, { status, headers: { ...ANTI_CACHE, "Content-Length": "0", ...fields } });
}

/** The answer to a request that is refused. */
export function refuse(refusal: Refusal, fields: HeaderFields = {}): Response {
  if (refusal.explain === null) return headerOnly(refusal.status, fields);
  return headerOnly(refusal.status, { "X-Nginx-PushStream-Explain": refusal.explain, ...fields });
}

export const methodNotAllowed = (allow: string): Response => headerOnly(405, { Allow: allow });
