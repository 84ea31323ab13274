/**
 * Which pages may make a browser publish or open a WebSocket here, or ask with its user's cookies. A browser
 * sends all of them without asking (CORS governs only what a page may read), so the origin it names is looked
 * at: this server's own, or one of `allowed_origins`; any other is refused. Who names none is no browser:
 * curl, a backend. Asked by front.ts.
 */
import { EVERY_ORIGIN, namesOrigin, readsCookies } from "../config/grant/allowed-origins.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { LocationConfig } from "../config/model.ts";

/** Whether a page of another origin has made this request, and may not. */
export type OriginCheck = (located: LocatedRequest) => boolean;

/** Methods that change nothing here. */
const HARMLESS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whatever the browser's user is here, a page that brings his cookies is. */
const hasCookies: OriginCheck = (located) => located.header("cookie") !== null;

/** null: nothing of this location has to be looked at. */
export function compileOriginCheck(location: LocationConfig): OriginCheck | null {
  const concerns = concernsOf(location);
  if (!location.checkOrigin || concerns === null) return null;
  const { allowedOrigins } = location;
  if (allowedOrigins === EVERY_ORIGIN) return null;
  const allowed = allowedOrigins === null ? null : rawLocationValue(location, allowedOrigins);
  return (located) => {
    const origin = located.header("origin");
    if (origin === null || !concerns(located) || isOwn(origin, located)) return false;
    return allowed === null || !namesOrigin(allowed(located), origin);
  };
}

function concernsOf(location: LocationConfig): OriginCheck | null {
  const { role } = location;
  if (role.kind === "publisher" || role.kind === "revoke" || role.kind === "console")
    return (located) => !HARMLESS.has(located.method) || hasCookies(located);
  if (role.kind === "subscriber") return role.mode === "websocket" ? () => true : hasCookies;
  const byCookie: OriginCheck | null = readsCookies(location) ? hasCookies : null;
  // What else a handler does is its author's affair.
  if (role.kind === "handler")
    return (located) =>
      located.header("upgrade")?.toLowerCase() === "websocket" || byCookie?.(located) === true;
  return byCookie;
}

/**
 * Host and port of the origin (RFC 6454 6.2) are those of the Host field. The scheme counts where TLS ends
 * here; behind a proxy nobody knows it. "null", of a page without an origin, is nobody's own.
 */
function isOwn(origin: string, located: LocatedRequest): boolean {
  const found = /^(https?):\/\/([^/?#@\s]+)$/i.exec(origin);
  if (found === null) return false;
  const [, scheme = "", place = ""] = found;
  const isSecure = scheme.toLowerCase() === "https";
  if (located.scheme === "https" && !isSecure) return false;
  const defaultPort = isSecure ? ":443" : ":80";
  const host = (located.header("host") ?? "").toLowerCase();
  return plain(host, defaultPort) === plain(place.toLowerCase(), defaultPort);
}

const plain = (host: string, defaultPort: string): string =>
  host.endsWith(defaultPort) ? host.slice(0, -defaultPort.length) : host;
