/**
 * What a request brings to be let in: a key, or a token in one of the places of its location. Called by the
 * gate; nothing is believed here. What of it must not get into a log is front/log-secrets.ts's.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { decodeOnce } from "../config/location/variables.ts";
import type { TokenPlace } from "../config/model/access.ts";
import { KEY_PREFIX } from "./key-text.ts";

/**
 * Of a WebSocket client, which can set no header: `token.` and the token, beside a subprotocol that is
 * spoken.
 */
const OFFER = "token.";
const MAX_COOKIES = 200;

/** Twice in one place, and nobody knows which one is meant. */
export const AMBIGUOUS = "ambiguous";

type Found = string | null | typeof AMBIGUOUS;

/** RFC 6750 2.1; null: there is none. */
export function bearerOf(located: LocatedRequest): string | null {
  const field = located.header("authorization");
  if (field === null || field.slice(0, 7).toLowerCase() !== "bearer ") return null;
  return field.slice(7).trim();
}

/** A key of ours is never a token. */
export function keyOf(located: LocatedRequest): string | null {
  const field = located.header("x-api-key");
  if (field !== null) return field;
  const bearer = bearerOf(located);
  return bearer?.startsWith(KEY_PREFIX) === true ? bearer : null;
}

/** The token in the first place that has one. */
export function tokenOf(located: LocatedRequest, places: readonly TokenPlace[]): { readonly token: Found } {
  for (const place of places) {
    const found = values(located, place);
    if (found.length > 1) return { token: AMBIGUOUS };
    const [token] = found;
    if (token !== undefined && token !== "") return { token };
  }
  return { token: null };
}

const values = (located: LocatedRequest, place: TokenPlace): readonly string[] =>
  place.kind === "query" ? rawValues(located, place).map(decodeOnce) : rawValues(located, place);

function rawValues(located: LocatedRequest, { kind, name }: TokenPlace): readonly string[] {
  if (kind === "header") return present(bearerOf(located));
  if (kind === "cookie") return cookies(located.header("cookie") ?? "", name);
  if (kind === "query") return queryValues(located.rawQuery, name.toLowerCase());
  const offers = located.header("sec-websocket-protocol")?.split(",", 17) ?? [];
  return offers
    .map((offer) => offer.trim())
    .filter((offer) => offer.startsWith(OFFER))
    .map((offer) => offer.slice(OFFER.length));
}

const present = (value: string | null): readonly string[] => (value === null ? [] : [value]);

/** Names of cookies have case (RFC 6265 5.3). Values may be in quotes (4.1.1). */
function cookies(header: string, name: string): readonly string[] {
  const found: string[] = [];
  for (const pair of header.split(";", MAX_COOKIES)) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    found.push(
      pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1"),
    );
  }
  return found;
}

function queryValues(query: string, name: string): readonly string[] {
  const found: string[] = [];
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    // As `$arg_name` finds it: without case.
    if (equals > 0 && pair.slice(0, equals).toLowerCase() === name) found.push(pair.slice(equals + 1));
  }
  return found;
}
