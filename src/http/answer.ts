/**
 * Answers without a body, and the headers every answer carries (push-stream spec 0.5, 0.6). Used by every
 * endpoint. A leaf next to errors.ts: one function turns a refusal into a response, so no endpoint can forget
 * a header.
 */

import { Refusals } from "./errors.ts";
import type { Incoming } from "./incoming.ts";
import { type Refusal, retryAfterSec } from "./refusal.ts";

/**
 * On every ordinary answer: all but a WebSocket's 101 (spec 0.5). No `Connection: keep-alive`: of HTTP/1.1 it
 * says nothing new (RFC 9112 9.3), and Bun, which does not tell a request's version, keeps no connection of
 * HTTP/1.0. The wire listener adds it where it is true.
 */
export const SERVER = { Server: "sluice" } as const;

/**
 * On every answer of every role but a subscriber's OPTIONS and a WebSocket location's 405. The odd second is
 * the dialect's.
 */
export const NO_CACHE = {
  Expires: "Thu, 01 Jan 1970 00:00:01 GMT",
  "Cache-Control": "no-cache, no-store, must-revalidate",
} as const;

/** A browser is not to look for another type in the bytes (Fetch 3.6). */
export const NOSNIFF = { "X-Content-Type-Options": "nosniff" } as const;

/** Both. */
export const ANTI_CACHE = { ...SERVER, ...NO_CACHE } as const;

const OUTCOME_UNKNOWN = { "X-Sluice-Outcome": "unknown" } as const;

export type HeaderFields = Readonly<Record<string, string>>;

/** A header-only answer; Content-Length: 0 goes on every one of them, 304 included. */
export function headerOnly(status: number, fields: HeaderFields = {}): Response {
  // Bun dates every answer but those to HEAD, which all roles but files refuse.
  const date = status === 405 ? { Date: new Date().toUTCString() } : {};
  return new Response(null, {
    status,
    headers: { ...ANTI_CACHE, ...date, "Content-Length": "0", ...fields },
  });
}

/** Nobody may take it for not published. */
const isUncertain = (refusal: Refusal): boolean =>
  refusal === Refusals.outcomeUnknown || refusal === Refusals.notReplicated;

/** The answer to a request that is refused. Whatever is 503 is so for the moment only. */
export function refuse(refusal: Refusal, fields: HeaderFields = {}): Response {
  const { status, explain } = refusal;
  const afterSec = retryAfterSec(refusal);
  const later = {
    ...(afterSec > 0 ? { "Retry-After": String(afterSec) } : {}),
    ...(isUncertain(refusal) ? OUTCOME_UNKNOWN : {}),
  };
  if (explain === null) return headerOnly(status, { ...later, ...fields });
  return headerOnly(status, { "X-Nginx-PushStream-Explain": explain, ...later, ...fields });
}

export const methodNotAllowed = (allow: string): Response => headerOnly(405, { Allow: allow });

/**
 * Whether the connection ends with this answer: the client asked for it, or speaks HTTP/1.0, which Bun closes
 * after one answer. A request tells no version; one without Host, of which Bun knows the path alone, is of
 * that kind.
 */
export function isLastRequest(request: Incoming): boolean {
  // The door that has the bytes knows when its connections end, and says so.
  if (request.exchange !== undefined) return false;
  const wish = request.headers.get("connection");
  return request.url.startsWith("/") || (wish !== null && /\bclose\b/i.test(wish));
}

/** Says so. */
export function closing(response: Response): Response {
  response.headers.set("Connection", "close");
  return response;
}

const silent = new WeakSet<Response>();

/** nginx's 444: the connection ends without a word where the door can do that, else with this answer. */
export function silently(response: Response): Response {
  silent.add(response);
  return response;
}

export const isSilent = (response: Response): boolean => silent.has(response);
