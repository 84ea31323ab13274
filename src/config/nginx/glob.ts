/**
 * The glob(3) of `include conf.d/*.conf`. Called by file-reader.ts. Bun's and Node's own globs read `**` and
 * `{a,b}` as more than nginx does, take hidden files or not by an option, and promise no order, so the few
 * rules are spelled out here: `*`, `?` and `[…]` never match a `/` or a leading dot, a backslash takes the
 * next character literally, results are sorted.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const MAGIC = /[*?[]/;
/** A pattern over several levels of folders could match a whole disk. One more than tree.ts will read. */
const MAX_PATHS = 1001;

/** Whether nginx takes the path as a pattern: one without a match is fine, a missing plain file is not. */
export const isPattern = (path: string): boolean => MAGIC.test(path);

/**
 * Absolute paths matching an absolute pattern, sorted by their bytes; at most 1,001. Folders that cannot be
 * read match nothing.
 */
export function globPaths(pattern: string): readonly string[] {
  let paths: string[] = ["/"];
  for (const segment of pattern.split("/").filter((part) => part !== "")) {
    paths = paths.flatMap((folder) => matchesIn(folder, segment)).slice(0, MAX_PATHS);
  }
  return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function matchesIn(folder: string, segment: string): string[] {
  if (!isPattern(segment)) {
    const path = join(folder, segment.replace(/\\(.)/g, "$1"));
    return existsSync(path) ? [path] : [];
  }
  return namesIn(folder)
    .filter((name) => matchesSegment(name, segment))
    .map((name) => join(folder, name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not a folder, or not ours to read: glob(3) skips it as well
  }
}

/** One name against one segment. Goes back to the last `*` only, so the work is at most name × segment. */
export function matchesSegment(name: string, segment: string): boolean {
  const parts = segmentParts(segment);
  if (name.startsWith(".") && parts[0]?.literal !== ".") return false;
  const characters = [...name];
  let at = 0;
  let part = 0;
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    if (parts[part]?.star) {
      star = part++;
      starAt = at;
    } else if (parts[part]?.matches(characters[at] ?? "")) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (parts[part]?.star) part++;
  return part === parts.length;
}

interface Part {
  readonly star: boolean;
  readonly literal: string | null;
  readonly matches: (character: string) => boolean;
}

function segmentParts(segment: string): Part[] {
  const parts: Part[] = [];
  const characters = [...segment];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    const close = character === "[" ? classEnd(characters, at) : -1;
    if (character === "*") {
      parts.push({ star: true, literal: null, matches: () => false });
    } else if (character === "?") {
      parts.push({ star: false, literal: null, matches: () => true });
    } else if (close > 0) {
      parts.push({ star: false, literal: null, matches: classTest(characters.slice(at + 1, close)) });
      at = close;
    } else {
      if (character === "\\" && at + 1 < characters.length) at++;
      const literal = characters[at] ?? "";
      parts.push({ star: false, literal, matches: (other) => other === literal });
    }
  }
  return parts;
}

/**
 * The `]` of the class at `at`, -1 without one (the `[` is then a plain character). A `]` right after `[` or
 * `[!` is a member.
 */
function classEnd(characters: readonly string[], at: number): number {
  const first = at + (isNegation(characters[at + 1]) ? 2 : 1);
  return characters.indexOf("]", first + 1);
}

const isNegation = (character: string | undefined): boolean => character === "!" || character === "^";

function classTest(members: readonly string[]): (character: string) => boolean {
  const negated = isNegation(members[0]);
  const listed = negated ? members.slice(1) : members;
  return (character) => isMember(character, listed) !== negated;
}

function isMember(character: string, listed: readonly string[]): boolean {
  for (let at = 0; at < listed.length; at++) {
    const from = listed[at] ?? "";
    const to = listed[at + 1] === "-" ? listed[at + 2] : undefined;
    if (to === undefined ? character === from : character >= from && character <= to) return true;
    if (to !== undefined) at += 2;
  }
  return false;
}
