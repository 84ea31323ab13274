/**
 * Finds the location of a request, with nginx's precedence: exact; else the longest prefix, final if it is "^~"; else the
 * first regex that matches, in the order of the file; else that longest prefix. Compiled once per worker, called for each
 * request by publish/, subscribe/ and admin/ through app.ts.
 *
 * A linear list of prefixes sorted by length beats nginx's tree here: configurations have a handful of locations.
 */
import { parseMatch } from "./match-syntax.ts";
import { decodePath } from "./uri-path.ts";

export interface LocationMatch {
  /** Index into the locations given; -1 = no location matches (404). */
  readonly index: number;
  /** Regex groups by number, [0] the whole match; named groups are numbered, too. Empty for other forms. Binary strings. */
  readonly captures: readonly string[];
  /** The decoded, normalised path, as a binary string. */
  readonly path: string;
}

/** Takes the raw path of a request, without query; null = 400, the path is malformed. */
export type LocationMatcher = (rawPath: string) => LocationMatch | null;

interface Prefix {
  readonly path: string;
  readonly isFinal: boolean;
  readonly index: number;
}

const NO_CAPTURES: readonly string[] = [];
const NO_LOCATION = -1;

/** Throws on a match that parseMatch refuses: a configuration that was checked has none. */
export function compileLocations(locations: readonly { readonly match: string }[]): LocationMatcher {
  const exact = new Map<string, number>();
  const prefixes: Prefix[] = [];
  const regexes: { readonly regex: RegExp; readonly index: number }[] = [];
  locations.forEach(({ match: text }, index) => {
    const outcome = parseMatch(text);
    if (!outcome.ok) throw new Error(`location ${text}: ${outcome.sentence}`);
    const { match } = outcome;
    if (match.form === "regex") regexes.push({ regex: match.regex, index });
    else if (match.form === "exact") exact.set(match.path, index);
    else prefixes.push({ path: match.path, isFinal: match.form === "final-prefix", index });
  });
  prefixes.sort((left, right) => right.path.length - left.path.length);

  function find(path: string): LocationMatch {
    const same = exact.get(path);
    if (same !== undefined) return { index: same, captures: NO_CAPTURES, path };
    const prefix = prefixes.find((candidate) => path.startsWith(candidate.path));
    if (prefix?.isFinal !== true) {
      for (const { regex, index } of regexes) {
        const found = regex.exec(path);
        if (found !== null) return { index, captures: Array.from(found, captured), path };
      }
    }
    return { index: prefix?.index ?? NO_LOCATION, captures: NO_CAPTURES, path };
  }

  return withLastAnswer((rawPath) => {
    const path = decodePath(rawPath);
    return path === null ? null : find(path);
  });
}

/** A group that took no part is undefined in the engine and empty in nginx. */
const captured = (text: string | undefined): string => text ?? "";

/** Publishers post to one URL again and again: the last answer is kept. */
function withLastAnswer(match: LocationMatcher): LocationMatcher {
  let lastPath: string | null = null;
  let lastAnswer: LocationMatch | null = null;
  return (rawPath) => {
    if (rawPath === lastPath) return lastAnswer;
    lastAnswer = match(rawPath);
    lastPath = rawPath;
    return lastAnswer;
  };
}
