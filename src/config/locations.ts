/**
 * Finds the location of a request, with nginx's precedence: exact; else the longest prefix, final if it is "^~"; else the
 * first regex that matches, in the order of the file; else that longest prefix. Compiled once per worker, called for each
 * request by publish/, subscribe/ and admin/ through app.ts.
 *
 * A linear list of prefixes sorted by length beats nginx's tree here: configurations have a handful of locations.
 */
import type { BoundedRegex } from "./bounded-regex.ts";
import { parseMatch } from "./match-syntax.ts";
import { decodePath } from "./uri-path.ts";

export interface LocationMatch {
  /** What the location is known by; -1 = none matches (404). */
  readonly index: number;
  /** Regex groups by number, [0] the whole match; named groups are numbered, too. Empty for other forms. Binary strings. */
  readonly captures: readonly string[];
  /** The decoded, normalised path, as a binary string. */
  readonly path: string;
  /** It is longer than the next regex takes: which location it belongs to is not known (414). */
  readonly isTooLong: boolean;
}

/** Takes the raw path of a request, without query; null = 400, the path is malformed. */
export type LocationMatcher = (rawPath: string) => LocationMatch | null;

interface Regex {
  readonly regex: BoundedRegex;
  readonly index: number;
}

/** Neighbouring regexes, and one that says whether any of them matches; null: not known without trying them. */
interface Chunk {
  readonly any: RegExp | null;
  /** Longer paths are not tried on `any`. */
  readonly anyUpTo: number;
  readonly members: readonly Regex[];
}

interface Prefix {
  readonly path: string;
  readonly isFinal: boolean;
  readonly index: number;
}

const NO_CAPTURES: readonly string[] = [];
const NO_LOCATION = -1;

/**
 * The matcher of one server. `indexes` are what its locations are known by; without them, their places in the list. Throws on a
 * match that parseMatch refuses: a configuration that was checked has none.
 */
export function compileLocations(
  locations: readonly { readonly match: string }[],
  indexes: readonly number[] = locations.map((_, index) => index),
): LocationMatcher {
  const exact = new Map<string, number>();
  const prefixes: Prefix[] = [];
  const regexes: Regex[] = [];
  locations.forEach(({ match: text }, place) => {
    const index = indexes[place] ?? NO_LOCATION;
    const outcome = parseMatch(text);
    if (!outcome.ok) throw new Error(`location ${text}: ${outcome.sentence}`);
    const { match } = outcome;
    if (match.form === "regex") regexes.push({ regex: match.regex, index });
    else if (match.form === "exact") exact.set(match.path, index);
    else prefixes.push({ path: match.path, isFinal: match.form === "final-prefix", index });
  });
  const chunks = chunksOf(regexes);
  prefixes.sort((left, right) => right.path.length - left.path.length);

  function find(path: string): LocationMatch {
    const same = exact.get(path);
    if (same !== undefined) return without(same, path);
    const prefix = prefixes.find((candidate) => path.startsWith(candidate.path));
    if (prefix?.isFinal !== true) {
      for (const { any, anyUpTo, members } of chunks) {
        if (any !== null && path.length <= anyUpTo && !any.test(path)) continue;
        for (const { regex, index } of members) {
          if (path.length > regex.longest) return without(NO_LOCATION, path, true);
          const found = regex.exec(path);
          if (found !== null) return { index, captures: Array.from(found, captured), path, isTooLong: false };
        }
      }
    }
    return without(prefix?.index ?? NO_LOCATION, path);
  }

  return withLastAnswer((rawPath) => {
    const path = decodePath(rawPath);
    return path === null ? null : find(path);
  });
}

const without = (index: number, path: string, isTooLong = false): LocationMatch => ({
  index,
  captures: NO_CAPTURES,
  path,
  isTooLong,
});

const CHUNK = 8;

/**
 * One alternation over eight regexes costs little more than one of them, so a hundred locations are asked in a dozen calls. What
 * an alternation would change the meaning of (numbered references, names that stand twice) is asked alone.
 */
function chunksOf(regexes: readonly Regex[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let members: Regex[] = [];
  const close = (): void => {
    const [first] = members;
    if (first === undefined) return;
    const sources = members.map(({ regex }) => `(?:${regex.native.source})`);
    chunks.push({
      any: members.length === 1 ? null : new RegExp(sources.join("|"), first.regex.native.flags),
      anyUpTo: Math.min(...members.map(({ regex }) => regex.nativeUpTo)),
      members,
    });
    members = [];
  };
  for (const member of regexes) {
    const { source, flags } = member.regex.native;
    const isAlone = /\\[1-9k]|\(\?</.test(source);
    const [first] = members;
    if (isAlone || members.length === CHUNK || (first && first.regex.native.flags !== flags)) close();
    members.push(member);
    if (isAlone) close();
  }
  close();
  return chunks;
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
