/**
 * Which backends a request is for, and what it asks them for: nginx's rules for the URI behind `proxy_pass`.
 * Compiled with a location, used by endpoint.ts.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import { parseMatch } from "../config/location/match-syntax.ts";
import { decodePath } from "../config/location/uri-path.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { ProxyConfig } from "../config/model/proxy.ts";
import type { LocationConfig } from "../config/model.ts";
import { hasVariables, type ProxyTarget, parseProxyTarget } from "../config/server/proxy-target.ts";
import { urlValue } from "../front/field-value.ts";
import type { Balancer } from "./balancer.ts";

export interface Destination {
  readonly balancer: Balancer;
  readonly uri: string;
  readonly authority: string;
}

/** null: what the variables came to is no address. */
export type DestinationFinder = (located: LocatedRequest) => Destination | null;

/** Gives the backends behind an address or the name of an upstream. */
export type BalancerOf = (target: ProxyTarget) => Balancer;

export function compileDestination(
  location: LocationConfig,
  { to }: ProxyConfig,
  balancerOf: BalancerOf,
): DestinationFinder {
  if (hasVariables(to)) return variable(rawLocationValue(location, to), balancerOf);
  const target = parseProxyTarget(to);
  if (target === null) throw new Error(`${to}: not an address`);
  const balancer = balancerOf(target);
  const { authority } = target;
  const uriOf = compileUri(location, target.uri);
  return (located) => ({ balancer, authority, uri: uriOf(located) });
}

/** What stands behind the address is then the whole URI; without it the client's goes on. */
const variable =
  (value: CompiledValue, balancerOf: BalancerOf): DestinationFinder =>
  (located) => {
    const target = parseProxyTarget(value(located));
    if (target === null) return null;
    const uri = target.uri === null ? ownUri(located) : rooted(urlValue(target.uri));
    return { balancer: balancerOf(target), authority: target.authority, uri };
  };

/** `uri` stands in place of what the location matched, unless a rewrite has made another path meanwhile. */
function compileUri(location: LocationConfig, uri: string | null): (located: LocatedRequest) => string {
  if (uri === null) return ownUri;
  const outcome = parseMatch(location.match);
  const matched = outcome.ok && "path" in outcome.match ? outcome.match.path.length : 0;
  const front = rooted(urlValue(uri));
  return (located) =>
    located.path === located.foundPath
      ? withQuery(front + escapedPath(located.path.slice(matched)), located.rawQuery)
      : ownUri(located);
}

/** As the client wrote it, unless something has made another of it. */
function ownUri(located: LocatedRequest): string {
  const { rawUrlPath, path, rawQuery, sentQuery } = located;
  const isSame = rawQuery === sentQuery && decodePath(rawUrlPath) === path;
  if (!isSame) return withQuery(escapedPath(path), rawQuery);
  // To the byte, where the door has it so: with the mark of an empty query.
  return rooted(located.request.exchange?.target ?? withQuery(rawUrlPath, rawQuery));
}

/**
 * A rewrite may have put a decoded capture into the query: what would end the request line is escaped again.
 */
const withQuery = (path: string, query: string): string =>
  query === "" ? path : `${path}?${query.replace(/[^\x21-\x7e]/g, percentEncoded)}`;
const rooted = (uri: string): string => (uri.startsWith("/") ? uri : `/${uri}`);

/** What would end a path or a line, and "%", which is an ordinary byte in a path that was decoded. */
const escapedPath = (path: string): string => path.replace(/[^\x21-\x7e]|[%?#]/g, percentEncoded);

function percentEncoded(character: string): string {
  const code = character.charCodeAt(0) & 0xff;
  return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}
