/**
 * From the claims of a verified token to a grant. Four ways of saying which channels are understood side by
 * side: ours, Mercure's, and the two of Centrifugo. Called by issuer.ts.
 *
 *   ours                { "channels": { "subscribe": ["news-*"], "publish": [] } }    patterns
 *   Mercure             { "mercure": { "subscribe": ["a", "*"], "publish": [] } }     names; * is all of them
 *   Centrifugo, both    { "channels": ["a"] }, { "channel": "a" }                     names
 *
 * A claim of another type than it should have refuses the whole token: half of what somebody signed is not
 * what he signed.
 */
import type { Grant } from "../config/grant/grant.ts";
import {
  compileNames,
  compilePatterns,
  NOTHING,
  type Patterns,
  readPatterns,
  together,
} from "../config/grant/patterns.ts";
import type { IssuerConfig } from "../config/model/access.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** Of `sub` and `jti`: what is written into log lines and kept for connections. */
const MAX_NAME_BYTES = 256;
const MAX_NAMES = 256;
const MAX_CHANNEL_BYTES = 512;
/** The end of the year 9999: later is no time, and no calendar has it. */
export const LAST_SEC = 253_402_300_799;

interface Channels {
  readonly subscribe: Patterns;
  readonly publish: Patterns;
}

/** null: the token says something that cannot be understood. */
export function grantOfClaims(claims: Claims, issuer: IssuerConfig): Grant | null {
  const { sub, jti, iat, exp } = claims;
  if (!isName(sub) || !isName(jti) || !isTime(iat) || !isTime(exp)) return null;
  const own = channelsOf(claims, sub ?? null);
  const mercure = mercureOf(claims["mercure"]);
  if (own === null || mercure === null) return null;
  const subscribe = together(compilePatterns(issuer.subscribe, sub ?? null), own.subscribe);
  const publish = together(compilePatterns(issuer.publish, sub ?? null), own.publish);
  return {
    sub: sub ?? null,
    jti: jti ?? null,
    issuedSec: iat ?? null,
    endMs: exp === undefined ? Number.POSITIVE_INFINITY : (exp + issuer.skewSec) * 1000,
    expiresSec: exp ?? null,
    subscribe: together(subscribe, mercure.subscribe),
    publish: together(publish, mercure.publish),
    info: claims["info"] ?? mercure.payload,
  };
}

/** `channels` is ours when it is a table, and Centrifugo's when it is a list. */
function channelsOf({ channels, channel }: Claims, sub: string | null): Channels | null {
  const single = channel === undefined ? [] : [channel];
  if (!areNames(single)) return null;
  const one = compileExact(single);
  if (channels === undefined || channels === null) return { subscribe: one, publish: NOTHING };
  if (Array.isArray(channels))
    return areNames(channels) ? { subscribe: together(one, compileExact(channels)), publish: NOTHING } : null;
  if (typeof channels !== "object") return null;
  const { subscribe, publish } = channels as Claims;
  const read = { subscribe: readPatterns(subscribe), publish: readPatterns(publish) };
  if (read.subscribe === null || read.publish === null) return null;
  return {
    subscribe: together(one, compilePatterns(read.subscribe, sub)),
    publish: compilePatterns(read.publish, sub),
  };
}

/** A star means nothing in them, and no channel has one. */
const compileExact = (names: readonly string[]): Patterns =>
  compileNames(names.filter((name) => name !== "*"));

function mercureOf(mercure: unknown): (Channels & { readonly payload: unknown }) | null {
  if (mercure === undefined || mercure === null)
    return { subscribe: NOTHING, publish: NOTHING, payload: undefined };
  if (typeof mercure !== "object" || Array.isArray(mercure)) return null;
  const { subscribe = [], publish = [], payload } = mercure as Claims;
  const lists = [subscribe ?? [], publish ?? []];
  const [listen, speak] = lists;
  if (!Array.isArray(listen) || !Array.isArray(speak) || !areNames(listen) || !areNames(speak)) return null;
  return { subscribe: compileNames(listen), publish: compileNames(speak), payload };
}

const isName = (raw: unknown): raw is string | undefined =>
  raw === undefined || (typeof raw === "string" && raw !== "" && Buffer.byteLength(raw) <= MAX_NAME_BYTES);

const isTime = (raw: unknown): raw is number | undefined =>
  raw === undefined || (typeof raw === "number" && raw >= 0 && raw <= LAST_SEC);

const areNames = (raw: readonly unknown[]): raw is readonly string[] =>
  raw.length <= MAX_NAMES &&
  raw.every(
    (name) => typeof name === "string" && name !== "" && Buffer.byteLength(name) <= MAX_CHANNEL_BYTES,
  );
