/**
 * From a request to the name of a file: `root` or `alias` of a location, compiled (nginx's rules). Says the
 * folder the file must lie in, too; disk.ts holds it to that after all links are resolved. Called by
 * endpoint.ts.
 *
 * The path of a request is decoded and normalised already (config/location/uri-path.ts): no "..", no "//", no
 * NUL. What alias appends need not be, since the location's prefix may end in the middle of a segment:
 * "/i../x" at "/i" leaves "../x".
 */
import { toBinary } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import { parseMatch } from "../config/location/match-syntax.ts";
import type { FilesConfig } from "../config/model/answers.ts";
import type { LocationConfig } from "../config/model.ts";

export interface Place {
  /** Nothing outside it is served. Text, as the file system takes it. */
  readonly folder: string;
  /** The folder's text and what follows. */
  readonly file: string;
}

/** null: there is nothing that could be served under this name (404). */
export type PlaceFinder = (located: LocatedRequest) => Place | null;

/** Throws when neither root nor alias is there. */
export function compilePlace(location: LocationConfig, { root, alias, dotfiles }: FilesConfig): PlaceFinder {
  const base = alias ?? root;
  if (base === null) throw new Error(`location ${location.match}: neither root nor alias`);
  const rest = alias === null ? (located: LocatedRequest) => located.path : restFinder(location, alias);
  if (base.includes("$")) return withVariables(location, base, rest, dotfiles);
  const text = toBinary(base);
  const folder = alias === null ? text : folderOfAlias(text);
  return (located) => placed(folder, text + rest(located), text.length, dotfiles);
}

/**
 * The place of the file that stands for what is missing: "/index.html" below the folder. Variables lead to
 * none.
 */
export function fallbackPlace({ root, alias, fallback, dotfiles }: FilesConfig): Place | null {
  const base = (alias ?? root ?? "").replace(/\/+$/, "");
  if (fallback === null || base.includes("$")) return null;
  const folder = toBinary(`${base}/`);
  return placed(folder, folder + toBinary(fallback.replace(/^\/+/, "")), folder.length, dotfiles);
}

/**
 * With variables in it, the folder is what comes before the first: what a client can choose must not move it.
 */
function withVariables(
  location: LocationConfig,
  base: string,
  rest: (located: LocatedRequest) => string,
  dotfiles: boolean,
): PlaceFinder {
  const evaluate = rawLocationValue(location, base);
  // A folder that a variable names is the administrator's choice; dots in it are none.
  if (base.startsWith("$"))
    return (located) => {
      const named = evaluate(located);
      return named.startsWith("/")
        ? placed(`${named.replace(/\/+$/, "")}/`, named + rest(located), 0, dotfiles)
        : null;
    };
  const literal = toBinary(base.slice(0, base.indexOf("$")));
  const folder = literal.slice(0, literal.lastIndexOf("/") + 1);
  return (located) => placed(folder, evaluate(located) + rest(located), folder.length, dotfiles);
}

/** What follows the location's prefix; a regex location's alias is the whole name of the file. */
function restFinder(location: LocationConfig, alias: string): (located: LocatedRequest) => string {
  const outcome = parseMatch(location.match);
  if (!outcome.ok || outcome.match.form === "regex" || outcome.match.form === "named") {
    // Without captures nothing of the path says which file, so it is a folder like any other.
    return alias.endsWith("/") && !alias.includes("$") ? ({ path }) => path.slice(1) : () => "";
  }
  const { length } = outcome.match.path;
  return ({ path }) => path.slice(length);
}

/** "/a/" and what is in it; "/a" is the file or folder itself, or what begins so, in the folder around it. */
const folderOfAlias = (alias: string): string => alias.slice(0, alias.lastIndexOf("/") + 1);

/** `from`: where the part begins that a client has a say in. */
function placed(folder: string, file: string, from: number, dotfiles: boolean): Place | null {
  if (!file.startsWith(folder) || !isServable(file, from, dotfiles)) return null;
  const folderText = asText(folder);
  const fileText = asText(file);
  return folderText === null || fileText === null ? null : { folder: folderText, file: fileText };
}

/** RFC 8615: what certificate authorities and others ask for. */
const WELL_KNOWN = ".well-known";

/**
 * No segment a client names begins with a dot: not ".git" unless such files are wanted, and never "..". NUL
 * would end the name for the kernel; a backslash is an ordinary byte here and a separator elsewhere, and no
 * file that is meant to be served has one.
 */
function isServable(file: string, from: number, dotfiles: boolean): boolean {
  for (let at = from; at < file.length; at++) {
    const code = file.charCodeAt(at);
    if (code === 0 || code === 0x5c) return false;
    if (code === 0x2e && (at === 0 || file.charCodeAt(at - 1) === 0x2f) && !isDotName(file, at, dotfiles))
      return false;
  }
  return true;
}

/** Whether the segment that begins here with a dot may be served. */
function isDotName(file: string, at: number, dotfiles: boolean): boolean {
  const end = file.indexOf("/", at);
  const name = file.slice(at, end < 0 ? file.length : end);
  return name === WELL_KNOWN || (dotfiles && name !== "." && name !== "..");
}

/** Names that are not UTF-8 cannot be asked of the runtime; null: no such file for us. */
function asText(binary: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the question is whether all of it is ASCII
  if (!/[^\x00-\x7f]/.test(binary)) return binary;
  const text = Buffer.from(binary, "latin1").toString("utf8");
  return text.includes("�") ? null : text;
}
