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
  /** What the location is known by; -1 = none matches (404). */
  readonly index: number;
  /** Regex groups by number, [0] the whole match; named groups are numbered, too. Empty for other forms. Binary strings. */
  readonly captures: readonly string[];
  /** The decoded, normalised path, as a binary string. */
  readonly path: string;
}

/** Takes the raw path of a request, without query; null = 400, the path is malformed. */
export type LocationMatcher = (rawPath: string) => LocationMatch | null;

interface Regex {
  readonly regex: RegExp;
  readonly index: number;
}

/** Neighbouring regexes, and one that says whether any of them matches; null: not known without trying them. */
interface Chunk {
  readonly any: RegExp | null;
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
    if (same !== undefined) return { index: same, captures: NO_CAPTURES, path };
    const prefix = prefixes.find((candidate) => path.startsWith(candidate.path));
    if (prefix?.isFinal !== true) {
      for (const { any, members } of chunks) {
        if (any !== null && !any.test(path)) continue;
        for (const { regex, index } of members) {
          const found = regex.exec(path);
          if (found !== null) return { index, captures: Array.from(found, captured), path };
        }
      }
    }
    return { index: prefix?.index ?? NO_LOCATION, captures: NO_CAPTURES, path };
  }

  return withLastAnswer((rawPath) => {
    const path = decodePath(rawPath);
    return path === null ? null : find(path);
  });
}

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
    const sources = members.map(({ regex }) => `(?:${regex.source})`);
    chunks.push({
      any: members.length === 1 ? null : new RegExp(sources.join("|"), first.regex.flags),
      members,
    });
    members = [];
  };
  for (const member of regexes) {
    const isAlone = /\\[1-9k]|\(\?</.test(member.regex.source);
    const [first] = members;
    if (isAlone || members.length === CHUNK || (first && first.regex.flags !== member.regex.flags)) close();
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
