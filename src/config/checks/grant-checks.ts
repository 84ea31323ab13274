/** What issuers, and the words of a location about grants, must fulfil together. Called by document.ts. */

import type { Issue } from "../fault.ts";
import { EVERY_ORIGIN } from "../grant/allowed-origins.ts";
import { type IssuerValues, LOCATION_PREFIX } from "../options.ts";
import { isSymmetric, readPlace } from "./access-checks.ts";

type Table = Readonly<Record<string, unknown>>;

const NAME = /^[\w.-]{1,64}$/;

/**
 * Each with one source of keys that fits its algorithms, and a name of its own. What is faulty in itself is
 * undefined, and was told.
 */
export function issuerIssues(issuers: readonly IssuerValues[]): readonly (readonly Issue[])[] {
  const names = new Map<string, number>();
  return issuers.map((issuer, index) => {
    const issues: Issue[] = [];
    const note = (suffix: string, value: unknown, sentence: string): void => {
      issues.push({ suffix, value, sentence });
    };
    const { name, algorithms, jwks } = issuer;
    const sources = (["jwks", "key_file", "key"] as const).filter((key) => issuer[key] !== null);
    if (sources.length !== 1) note("", undefined, "an issuer has one of jwks, key_file and key.");
    if (typeof name === "string" && !NAME.test(name))
      note(".name", name, "a name has 1 to 64 letters, digits, dots and dashes.");
    const first = names.get(name);
    if (first !== undefined) note(".name", name, `duplicate issuer, the same as issuer[${first}].`);
    else names.set(name, index);
    if (typeof jwks === "string" && algorithms?.some(isSymmetric) === true)
      note(".jwks", jwks, "a key set has public keys; the secret of HS tokens is in key or key_file.");
    return issues;
  });
}

const SOURCES = ["token_issuers", "publisher_keys_file", "auth_request"] as const;
/** What guards a location that takes grants back. */
const GUARDS = [...SOURCES, "access", "auth_basic"];
/** Where a request is about channels. */
export const CHANNEL_ROLES: readonly string[] = ["publisher", "subscriber", "statistics", "presence_list"];
/** What says nothing without a source. */
const BESIDE = ["token", "require", "public", "auth_headers", "auth_cache", "auth_timeout"] as const;

export function grantIssues(written: Table, values: Table, issuers: ReadonlySet<string>): readonly Issue[] {
  const issues: Issue[] = [];
  const note = (key: string, sentence: string, suffix = ""): void => {
    issues.push({ suffix: `.${key}${suffix}`, value: written[key], sentence });
  };
  const valueAt = (key: string): unknown => values[LOCATION_PREFIX + key];
  const sources = SOURCES.filter((key) => written[key] !== undefined);
  for (const key of BESIDE)
    if (written[key] !== undefined && sources.length === 0)
      note(key, `${key} needs one of ${SOURCES.join(", ")} beside it.`);
  const named = valueAt("token_issuers");
  if (Array.isArray(named))
    named.forEach((name: string, i) => {
      if (!issuers.has(name)) note("token_issuers", `there is no [[issuer]] "${name}".`, `[${i}]`);
    });
  if (written["public"] !== undefined && CHANNEL_ROLES.every((role) => written[role] === undefined))
    note("public", `public is for a location with ${CHANNEL_ROLES.join(", ")}.`);
  if (written["satisfy"] === "any" && sources.length === 0 && !isSet(written, ["access", "auth_basic"]))
    note("satisfy", "satisfy needs something to be satisfied.");
  if (written["revoke"] === true && !isSet(written, GUARDS) && written["authorize"] === undefined)
    note("revoke", `anybody could shut out everybody: it needs one of ${GUARDS.join(", ")}.`);
  return [...issues, ...cookieIssues(written, valueAt), ...askedCookieIssues(written, valueAt)];
}

/** A browser sends cookies for whichever page asks: whose pages may, has to be said, and looked at. */
function cookieIssues(written: Table, valueAt: (key: string) => unknown): readonly Issue[] {
  const places = valueAt("token");
  if (!Array.isArray(places) || written["token"] === undefined) return [];
  const at = places.findIndex((text: string) => readPlace(text)?.kind === "cookie");
  if (at < 0) return [];
  const issue = (sentence: string): readonly Issue[] => [
    { suffix: `.token[${at}]`, value: places[at], sentence },
  ];
  if (valueAt("allowed_origins") === EVERY_ORIGIN)
    return issue('a cookie is not for the pages of everybody, which allowed_origins = "*" lets in.');
  return valueAt("check_origin") === false
    ? issue("a browser sends cookies for every page: check_origin must be on.")
    : [];
}

/**
 * The same where a backend decides by them. Without check_origin, as from an nginx.conf, it is the backend's
 * to look at origins.
 */
function askedCookieIssues(written: Table, valueAt: (key: string) => unknown): readonly Issue[] {
  const headers = valueAt("auth_headers");
  const isAsked = written["auth_request"] !== undefined && Array.isArray(headers);
  const isTold = isAsked && headers.some((name: string) => name.toLowerCase() === "cookie");
  if (!isTold || valueAt("allowed_origins") !== EVERY_ORIGIN || valueAt("check_origin") === false) return [];
  const sentence =
    'it tells of cookies, and allowed_origins = "*" lets the pages of everybody use them: list the ' +
    "origins, or leave Cookie out of auth_headers.";
  return [{ suffix: ".auth_request", value: written["auth_request"], sentence }];
}

const isSet = (written: Table, keys: readonly string[]): boolean =>
  keys.some((key) => written[key] !== undefined);
