/**
 * Channel patterns of grants: an exact name, `prefix*`, `*`, and `${sub}` inside. Written in the
 * configuration, in tokens, in the file of keys and by handlers; compiled and matched here, so that one text
 * means one thing wherever it stands.
 *
 * There is one star, at the end, so matching is one comparison of a prefix: no pattern is slow, whoever wrote
 * it. No channel id may have a star in it (push-stream spec 3.1), so no name is mistaken for a pattern. Names
 * are binary strings, a character a byte.
 */
import { toBinary } from "../binary-text.ts";

/** Of a pattern, and of how many one grant may have: they come in tokens. */
const MAX_PATTERN_BYTES = 512;
const MAX_PATTERNS = 256;

/** Stands for whom a grant is for. */
export const SUB = `\${sub}`;

export interface Patterns {
  /** Whether a channel, as a binary string, is meant by one of them. */
  covers(name: string): boolean;
  /** Whether everything is. */
  readonly coversAll: boolean;
  /** As they were written, with `${sub}` filled in. */
  readonly texts: readonly string[];
}

/** What is wrong with a pattern; null: nothing. */
export function patternFault(text: string): string | null {
  if (text === "") return "a pattern must not be empty.";
  if (Buffer.byteLength(text) > MAX_PATTERN_BYTES) return `a pattern has at most ${MAX_PATTERN_BYTES} bytes.`;
  const star = text.indexOf("*");
  if (star !== -1 && star !== text.length - 1) return "a pattern has one *, at its end.";
  if (text.includes("/")) return "a pattern names one channel; / stands between channels.";
  return text.replaceAll(SUB, "").includes("${") ? `a pattern knows ${SUB} alone.` : null;
}

/**
 * Patterns as somebody sent them: texts, few enough; null: they are not. What is no pattern is none of these,
 * which grants nothing.
 */
export function readPatterns(raw: unknown): readonly string[] | null {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw) || raw.length > MAX_PATTERNS) return null;
  return raw.every((text): text is string => typeof text === "string" && patternFault(text) === null)
    ? raw
    : null;
}

/**
 * `sub` null: what has `${sub}` in it is nobody's. It is put in as it is: a star in a name stays a star,
 * which no channel has.
 */
export function compilePatterns(texts: readonly string[], sub: string | null): Patterns {
  const filled: string[] = [];
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const text of texts) {
    if (text.includes(SUB) && !sub) continue;
    const isPrefix = text.endsWith("*");
    const name = (isPrefix ? text.slice(0, -1) : text).replaceAll(SUB, () => sub ?? "");
    filled.push(isPrefix ? `${name}*` : name);
    if (isPrefix) prefixes.push(toBinary(name));
    else exact.add(toBinary(name));
  }
  return patternsOf(exact, prefixes, filled);
}

/** Names as they are, in which only `*` alone has a meaning: those of other servers' tokens. */
export function compileNames(names: readonly string[]): Patterns {
  const isAll = names.includes("*");
  return patternsOf(new Set(names.map(toBinary)), isAll ? [""] : [], names);
}

/** Binary strings, to the byte. */
export const exactly = (names: readonly string[]): Patterns =>
  patternsOf(
    new Set(names),
    [],
    names.map((name) => Buffer.from(name, "latin1").toString("utf8")),
  );

export function together(one: Patterns, other: Patterns): Patterns {
  if (one.texts.length === 0) return other;
  if (other.texts.length === 0) return one;
  return {
    covers: (name) => one.covers(name) || other.covers(name),
    coversAll: one.coversAll || other.coversAll,
    texts: [...new Set([...one.texts, ...other.texts])],
  };
}

function patternsOf(
  exact: ReadonlySet<string>,
  prefixes: readonly string[],
  texts: readonly string[],
): Patterns {
  return {
    covers(name) {
      if (exact.has(name)) return true;
      for (const prefix of prefixes) if (name.startsWith(prefix)) return true;
      return false;
    },
    coversAll: prefixes.includes(""),
    texts,
  };
}

export const NOTHING: Patterns = patternsOf(new Set(), [], []);
export const EVERYTHING: Patterns = patternsOf(new Set(), [""], ["*"]);
