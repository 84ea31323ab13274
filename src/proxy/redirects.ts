/**
 * `proxy_redirect`: what becomes of a Location, or the address in a Refresh, that a backend answers with: it
 * knows itself by another name than its clients do. Compiled with a location, used by answer-fields.ts.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import { parseMatch } from "../config/location/match-syntax.ts";
import type { LocationConfig } from "../config/model.ts";
import { checkedRegex } from "../config/regex/bounded-regex.ts";
import type { Captures } from "../config/regex/regex-linear.ts";
import { hasVariables, parseProxyTarget } from "../config/server/proxy-target.ts";
import { urlValue } from "../front/field-value.ts";
import { originOf } from "../front/returned.ts";

/** null: it stays as it is. */
type Rule = (url: string, located: LocatedRequest) => string | null;

export type Redirects = (url: string, located: LocatedRequest) => string;

export function compileRedirects(location: LocationConfig, texts: readonly string[]): Redirects | null {
  const rules = texts.includes("off") ? [] : texts.flatMap((text) => compileRule(location, text) ?? []);
  if (rules.length === 0) return null;
  return (url, located) => {
    for (const rule of rules) {
      const changed = rule(url, located);
      if (changed === null) continue;
      // Made of what a client sent, maybe decoded: a line feed in it must not begin a field.
      const fit = urlValue(changed);
      // As nginx: what was made a path is named whole again.
      return fit.startsWith("/") && location.absoluteRedirect ? originOf(located, location) + fit : fit;
    }
    return url;
  };
}

function compileRule(location: LocationConfig, text: string): Rule | null {
  if (text === "default") return defaultRule(location);
  const [from = "", to = ""] = text.trim().split(/\s+/);
  if (from.startsWith("~")) return regexRule(location, from, to);
  const [prefix, replacement] = [rawLocationValue(location, from), rawLocationValue(location, to)];
  return (url, located) => {
    const start = prefix(located);
    return url.startsWith(start) ? replacement(located) + url.slice(start.length) : null;
  };
}

/** The address of the backend becomes the path of the location. */
function defaultRule({ match, proxy }: LocationConfig): Rule | null {
  const to = proxy?.to ?? "";
  const target = hasVariables(to) ? null : parseProxyTarget(to);
  if (target === null) return null;
  const outcome = parseMatch(match);
  const form = outcome.ok ? outcome.match : null;
  const path = form !== null && "path" in form ? form.path : "/";
  const [from, replacement] = target.uri === null ? [`${to}/`, "/"] : [to, path];
  return (url) => (url.startsWith(from) ? replacement + url.slice(from.length) : null);
}

function regexRule(location: LocationConfig, from: string, to: string): Rule {
  const regex = checkedRegex(from.replace(/^~\*?/, ""), from.startsWith("~*") ? "si" : "s");
  // Captures of this regex by turns with what stands around them: what a backend sends is nobody's
  // configuration.
  const parts = to.split(/\$(\d)/).map((piece, i) => {
    if (i % 2 === 1) return (found: Captures) => found[Number(piece)] ?? "";
    const value = rawLocationValue(location, piece);
    return (_: Captures, located: LocatedRequest) => value(located);
  });
  return (url, located) => {
    const found = url.length > regex.longest ? null : regex.exec(url);
    return found === null ? null : parts.map((part) => part(found, located)).join("");
  };
}
