/**
 * Finds the location of a request, with nginx's precedence: exact; else the longest prefix, final if it is
 * "^~"; else the first regex that matches, in the order of the file; else that longest prefix. Compiled once
 * per worker, called for each request by publish/, subscribe/ and admin/ through app.ts.
 *
 * A linear list of prefixes sorted by length beats nginx's tree here: configurations have a handful of
 * locations.
 */
import type { BoundedRegex } from "../regex/bounded-regex.ts";
import { parseMatch } from "./match-syntax.ts";
import { decodePath } from "./uri-path.ts";

export interface LocationMatch {
  /** What the location is known by; -1 = none matches (404). */
  readonly index: number;
  /**
   * Regex groups by number, [0] the whole match; named groups are numbered, too. Empty for other forms.
   * Binary strings.
   */
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
  readonly inner: Level | null;
}

/**
 * Neighbouring regexes, and one that says whether any of them matches; null: not known without trying them.
 */
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
  readonly inner: Level | null;
}

const NO_CAPTURES: readonly string[] = [];
const NO_LOCATION = -1;

/**
 * A location as the matcher wants it; those inside it are looked at where it is the longest prefix or the
 * regex that matches.
 */
export interface LocationSource {
  readonly match: string;
  /** What it is known by; without it, its place in the list. */
  readonly index?: number;
  readonly inner?: readonly LocationSource[];
}

/** The locations of one level: those of a server, or those inside one location. */
interface Level {
  readonly exact: ReadonlyMap<string, number>;
  /** The longest first. */
  readonly prefixes: readonly Prefix[];
  readonly chunks: readonly Chunk[];
}

/** What a level says of a path. `isSettled`: nothing further out is asked any more. */
interface Found {
  readonly index: number;
  readonly captures: readonly string[];
  readonly isSettled: boolean;
  readonly isTooLong?: true;
}

/** Takes the decoded path of a request. */
export type LocationSearch = (path: string) => LocationMatch;

/**
 * The matcher of one server. Throws on a match that parseMatch refuses: a configuration that was checked has
 * none.
 */
export const compileLocations = (locations: readonly LocationSource[]): LocationMatcher =>
  matcherOf(compileSearch(locations));

export const matcherOf = (search: LocationSearch): LocationMatcher =>
  withLastAnswer((rawPath) => {
    const path = decodePath(rawPath);
    return path === null ? null : search(path);
  });

/** The same of a path that is decoded already. Named locations are not found by any. */
export function compileSearch(locations: readonly LocationSource[]): LocationSearch {
  const level = compileLevel(locations);
  return (path) => {
    const found = search(level, path);
    if (found === null) return without(NO_LOCATION, path);
    if (found.isTooLong === true) return without(NO_LOCATION, path, true);
    return { index: found.index, captures: found.captures, path, isTooLong: false };
  };
}

function compileLevel(locations: readonly LocationSource[]): Level {
  const exact = new Map<string, number>();
  const prefixes: Prefix[] = [];
  const regexes: Regex[] = [];
  locations.forEach(({ match: text, index: known, inner: sources = [] }, place) => {
    const index = known ?? place;
    const outcome = parseMatch(text);
    if (!outcome.ok) throw new Error(`location ${text}: ${outcome.sentence}`);
    const { match } = outcome;
    const inner = sources.length === 0 ? null : compileLevel(sources);
    if (match.form === "regex") regexes.push({ regex: match.regex, index, inner });
    else if (match.form === "exact") exact.set(match.path, index);
    else if (match.form !== "named")
      prefixes.push({ path: match.path, isFinal: match.form === "final-prefix", index, inner });
  });
  prefixes.sort((left, right) => right.path.length - left.path.length);
  return { exact, prefixes, chunks: chunksOf(regexes) };
}

const TOO_LONG: Found = { index: NO_LOCATION, captures: NO_CAPTURES, isSettled: true, isTooLong: true };

/**
 * As nginx goes about it: exact; else the longest prefix, and what is inside it; else, unless that prefix is
 * "^~" or something inside has settled it, the first regex, and what is inside that.
 */
function search({ exact, prefixes, chunks }: Level, path: string): Found | null {
  const same = exact.get(path);
  if (same !== undefined) return { index: same, captures: NO_CAPTURES, isSettled: true };
  const prefix = prefixes.find((candidate) => path.startsWith(candidate.path));
  const inner = prefix === undefined || prefix.inner === null ? null : search(prefix.inner, path);
  if (inner?.isSettled === true) return inner;
  if (prefix?.isFinal !== true) {
    for (const { any, anyUpTo, members } of chunks) {
      if (any !== null && path.length <= anyUpTo && !any.test(path)) continue;
      for (const member of members) {
        if (path.length > member.regex.longest) return TOO_LONG;
        const found = member.regex.exec(path);
        if (found !== null) return settled(member, Array.from(found, captured), path);
      }
    }
  }
  if (inner !== null) return inner;
  return prefix === undefined ? null : { index: prefix.index, captures: NO_CAPTURES, isSettled: false };
}

/** A prefix inside keeps the captures of the regex around it. */
function settled({ index, inner }: Regex, captures: readonly string[], path: string): Found {
  const found = inner === null ? null : search(inner, path);
  if (found === null) return { index, captures, isSettled: true };
  return { ...found, captures: found.captures.length > 0 ? found.captures : captures, isSettled: true };
}

const without = (index: number, path: string, isTooLong = false): LocationMatch => ({
  index,
  captures: NO_CAPTURES,
  path,
  isTooLong,
});

const CHUNK = 8;

/**
 * One alternation over eight regexes costs little more than one of them, so a hundred locations are asked in
 * a dozen calls. What an alternation would change the meaning of (numbered references, names that stand
 * twice) is asked alone.
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
