/**
 * The match string of a location, read: which of nginx's six forms it is. Used by toml.ts to check it and by
 * locations.ts to compile it.
 */
import { toBinary } from "../binary-text.ts";
import { type BoundedRegex, boundedRegex } from "../regex/bounded-regex.ts";

export type ParsedMatch =
  | { readonly form: "exact" | "prefix" | "final-prefix"; readonly path: string }
  /** "@name": no path leads there, only error_page and try_files. */
  | { readonly form: "named"; readonly name: string }
  | { readonly form: "regex"; readonly regex: BoundedRegex };

/** Groups a location's regex captures: what `$1` and `$name` may refer to. */
export interface CaptureGroups {
  readonly count: number;
  readonly names: ReadonlyMap<string, number>;
}

export const NO_GROUPS: CaptureGroups = { count: 0, names: new Map() };

export type MatchOutcome =
  | { readonly ok: true; readonly match: ParsedMatch; readonly groups: CaptureGroups }
  | { readonly ok: false; readonly sentence: string };

const FORMS: Readonly<Record<string, "exact" | "prefix" | "final-prefix">> = {
  "=": "exact",
  "": "prefix",
  "^~": "final-prefix",
};

/** A longer regex is a mistake, and its reader recurses with its depth. */
const MAX_MATCH_LENGTH = 2000;

const refused = (sentence: string): MatchOutcome => ({ ok: false, sentence });

/**
 * Reads "= /pub", "/prefix", "^~ /prefix", "~ regex", "~* regex" or "@name". The blank after the sign may be
 * missing, as in nginx.
 */
export function parseMatch(text: string): MatchOutcome {
  if (text.length > MAX_MATCH_LENGTH) return refused(`match must be at most ${MAX_MATCH_LENGTH} characters.`);
  const parts = /^\s*(=|\^~|~\*|~|)\s*(.*?)\s*$/s.exec(text);
  const sign = parts?.[1] ?? "";
  const rest = parts?.[2] ?? "";
  if (rest === "") return refused("match is empty.");
  if (sign === "" && /^@[^\s/]+$/.test(rest))
    return { ok: true, match: { form: "named", name: rest }, groups: NO_GROUPS };
  const form = FORMS[sign];
  return form === undefined ? parseRegex(rest, sign === "~*") : parsePath(form, rest);
}

function parsePath(form: "exact" | "prefix" | "final-prefix", path: string): MatchOutcome {
  if (!path.startsWith("/")) return refused('match can never match: a path starts with "/".');
  // Paths arrive normalised, so nothing with these in it is ever seen.
  if (/\/\/|\/\.{1,2}(?:\/|$)/.test(path))
    return refused('match can never match: "//", "/./" and "/../" are resolved before.');
  return { ok: true, match: { form, path: toBinary(path) }, groups: NO_GROUPS };
}

function parseRegex(source: string, ignoreCase: boolean): MatchOutcome {
  // s: "." is any byte. nginx's "." stops at a line feed, but a channel id may have one (push-stream spec
  // 3.3: ordinary byte).
  const outcome = boundedRegex(toBinary(source), ignoreCase ? "si" : "s");
  if (!outcome.ok) return outcome;
  const { regex } = outcome;
  return {
    ok: true,
    match: { form: "regex", regex },
    groups: { count: regex.groups, names: new Map(regex.names) },
  };
}

/**
 * What makes two matches the same location: regexes by source, paths by path, since "/a" and "^~ /a" cannot
 * both be there.
 */
export function matchIdentity(match: ParsedMatch): string {
  if (match.form === "regex") return `~ ${match.regex.native.flags} ${match.regex.native.source}`;
  if (match.form === "named") return match.name;
  return match.form === "exact" ? `= ${match.path}` : match.path;
}
