/**
 * CORS of the roles that do not speak it themselves: files, statistics, presence, revocation, handlers and
 * proxies. Before a page of another origin may ask with a token, a browser asks whether it may (Fetch 4.8),
 * and brings no token when it does: so that question is answered by `allowed_origins` alone, in front of
 * everybody who would want to know who asks. Called by front.ts and the entrance.
 *
 * Publishers and subscribers answer it themselves (cors.ts); here it is only seen to that it comes to them.
 * What a handler or a backend answers that nobody stands before is its own affair, but for the origin, which
 * is told where it says nothing.
 */

import { announcedOrigin, namesOrigin, readsCookies } from "../config/grant/allowed-origins.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import { NO_CACHE, SERVER } from "../http/answer.ts";

/** Methods of the roles that have some of their own. */
const METHODS: ReadonlyMap<string, string> = new Map([
  ["files", "GET, HEAD"],
  ["statistics", "GET"],
  ["stub-status", "GET"],
  ["presence", "GET"],
  ["revoke", "POST"],
]);
const BY_THEMSELVES: ReadonlySet<string> = new Set(["publisher", "subscriber"]);
const TOLD_OF: ReadonlySet<string> = new Set([...METHODS.keys(), "handler", "proxy"]);
/** As far as they go back into a field. */
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]{1,40}$/;
const TOKENS = /^[!#$%&'*+.^_`|~\dA-Za-z, -]{1,1000}$/;
/** Chromium's longest. */
const MAX_AGE = "7200";

/** "role": whoever serves the location answers it himself. */
export type Preflight = (located: LocatedRequest) => Response | "role" | "foreign" | null;
export type Announcer = (located: LocatedRequest, response: Response) => void;

const isAsked = (located: LocatedRequest): boolean =>
  located.method === "OPTIONS" &&
  located.header("origin") !== null &&
  located.header("access-control-request-method") !== null;

/** null: nothing of this location has to be looked at. */
export function compilePreflight(location: LocationConfig): Preflight | null {
  const { allowedOrigins, moduleFields, grants, code, auth, role } = location;
  if (allowedOrigins === null || moduleFields) return null;
  const isGuarded = grants !== null || (code?.authorize ?? null) !== null || auth !== null;
  if (BY_THEMSELVES.has(role.kind)) return isGuarded ? (located) => (isAsked(located) ? "role" : null) : null;
  if (!TOLD_OF.has(role.kind) || (!METHODS.has(role.kind) && !isGuarded)) return null;
  const allowed = rawLocationValue(location, allowedOrigins);
  const announce = compileAnnouncer(location);
  return (located) => {
    if (!isAsked(located)) return null;
    if (!namesOrigin(allowed(located), located.header("origin") ?? "")) return "foreign";
    const response = new Response(null, { status: 204, headers: { ...SERVER, ...NO_CACHE } });
    const { headers } = response;
    const method = located.header("access-control-request-method") ?? "";
    const methods = METHODS.get(role.kind) ?? (TOKEN.test(method) ? method : "GET");
    headers.set("Access-Control-Allow-Methods", methods);
    const fields = located.header("access-control-request-headers") ?? "";
    if (TOKENS.test(fields)) headers.set("Access-Control-Allow-Headers", fields);
    headers.set("Access-Control-Max-Age", MAX_AGE);
    announce?.(located, response);
    return response;
  };
}

/**
 * Tells on each answer whose pages may read it, unless the answer says so itself. null: nobody is to be told.
 */
export function compileAnnouncer(location: LocationConfig): Announcer | null {
  const { allowedOrigins, moduleFields, role } = location;
  if (allowedOrigins === null || moduleFields || !TOLD_OF.has(role.kind)) return null;
  const told: CompiledValue = announcedOrigin(location, rawLocationValue(location, allowedOrigins));
  const hasCookies = readsCookies(location);
  return (located, { headers }) => {
    const origin = told(located);
    if (headers.has("access-control-allow-origin") || !/^[\x20-\x7e]+$/.test(origin)) return;
    headers.set("Access-Control-Allow-Origin", origin);
    if (origin === "*") return;
    headers.append("Vary", "Origin");
    if (hasCookies) headers.set("Access-Control-Allow-Credentials", "true");
  };
}
