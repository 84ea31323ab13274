/**
 * nginx's `rewrite`: a regex tried on the path, and what the path becomes. Read and compiled here, run by the
 * steps of rewrite.ts.
 *
 * A replacement that is a URL, or has the flag `redirect` or `permanent`, is an answer; any other is a new
 * path, for which the location is looked for again, unless the flag is `break`.
 */
import { toBinary } from "../binary-text.ts";
import { boundedRegex, checkedRegex } from "../regex/bounded-regex.ts";
import { type CaptureGroups, NO_GROUPS } from "./match-syntax.ts";
import type { Returned, SteppedRequest } from "./rewrite.ts";
import { type CompiledValue, compileValue, valueFault } from "./variables.ts";

type Flag = "last" | "break" | "redirect" | "permanent";

interface ParsedRewrite {
  readonly regex: string;
  readonly replacement: string;
  readonly flag: Flag | null;
}

/**
 * What came of one. "on": the path is another (or not), and what follows is run; "search": the path is
 * another, and nothing follows.
 */
export type Rewritten = "no match" | "on" | "search" | "stay" | "too long" | "no path" | Returned;

export type CompiledRewrite = (request: SteppedRequest) => Rewritten;

const WORD = /\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*))(?=\s|$)/y;
const FLAGS: Readonly<Record<Flag, Flag>> = {
  last: "last",
  break: "break",
  redirect: "redirect",
  permanent: "permanent",
};
const MOST_WORDS = 3;
const NINE_GROUPS: CaptureGroups = { count: 9, names: NO_GROUPS.names };
const IS_URL = /^(?:https?:\/\/|\$scheme)/;

/** null: not two or three words, or a flag that is none. */
function parseRewrite(text: string): ParsedRewrite | null {
  const words: string[] = [];
  WORD.lastIndex = 0;
  for (let found = WORD.exec(text); found !== null && words.length <= MOST_WORDS; found = WORD.exec(text))
    words.push(found[1]?.replace(/\\(["\\])/g, "$1") ?? found[2] ?? "");
  const [regex = "", replacement, flag] = words;
  if (replacement === undefined || words.length > MOST_WORDS) return null;
  if (flag !== undefined && !Object.hasOwn(FLAGS, flag)) return null;
  return { regex, replacement, flag: flag === undefined ? null : FLAGS[flag as Flag] };
}

/** What is wrong with a "regex replacement [flag]", or null. */
export function rewriteFault(text: string, names: ReadonlySet<string>): string | null {
  const parsed = parseRewrite(text);
  if (parsed === null) return 'a rewrite is "regex replacement", and last, break, redirect or permanent.';
  const outcome = boundedRegex(toBinary(parsed.regex), "s");
  if (!outcome.ok) return outcome.sentence;
  return valueFault(parsed.replacement, withNine(outcome.regex.names, outcome.regex.groups), names);
}

/** The regex of a rewrite, as the match of a location: for the names of its groups. */
export const rewriteRegex = (text: string): string => parseRewrite(text)?.regex ?? "";

function withNine(names: Iterable<readonly [string, number]>, count: number): CaptureGroups {
  return { count: Math.max(NINE_GROUPS.count, count), names: new Map(names) };
}

/** What a replacement may name: captures, and groups of the location that have names. */
export interface Variables {
  readonly groups: CaptureGroups;
  readonly names: ReadonlySet<string>;
}

/** Throws on what `rewriteFault` refuses. */
export function compileRewrite(
  text: string,
  { groups, names }: Variables,
  capture: (request: SteppedRequest, regex: ReturnType<typeof checkedRegex>, path: string) => boolean,
): CompiledRewrite {
  const parsed = parseRewrite(text);
  if (parsed === null) throw new Error(`rewrite ${text}: not a rewrite`);
  const regex = checkedRegex(toBinary(parsed.regex), "s");
  const { flag } = parsed;
  const isAnswer = IS_URL.test(parsed.replacement) || flag === "redirect" || flag === "permanent";
  const target = compileTarget(parsed.replacement, groups, names);
  return (request) => {
    if (request.path.length > regex.longest) return "too long";
    if (!capture(request, regex, request.path)) return "no match";
    if (isAnswer) {
      const text = withCaptures(request, escapeInUrl, () =>
        joined(target.path(request), target.query(request)),
      );
      return { status: flag === "permanent" ? 301 : 302, text };
    }
    const path = target.path(request);
    // A path that came without an escape has nothing in it that needs one, for nginx.
    const isEscaped = /[%+]/.test(request.rawUrlPath);
    const query = isEscaped
      ? withCaptures(request, escapeInQuery, () => target.query(request))
      : target.query(request);
    if (path === "") return "no path";
    request.rewrite(path, query);
    if (flag === "last") return "search";
    return flag === "break" ? "stay" : "on";
  };
}

interface Target {
  readonly path: CompiledValue;
  readonly query: CompiledValue;
}

const joined = (path: string, query: string): string => (query === "" ? path : `${path}?${query}`);

/** The query of the request follows that of the replacement, unless this ends in "?". */
function compileTarget(replacement: string, groups: CaptureGroups, names: ReadonlySet<string>): Target {
  const drops = replacement.endsWith("?");
  const text = drops ? replacement.slice(0, -1) : replacement;
  const mark = text.indexOf("?");
  const path = compileValue(mark < 0 ? text : text.slice(0, mark), groups, names);
  const query = mark < 0 ? null : compileValue(text.slice(mark + 1), groups, names);
  return {
    path,
    query: (request) => {
      const parts = [query?.(request) ?? "", drops ? "" : request.rawQuery];
      return parts.filter((part) => part !== "").join("&");
    },
  };
}

/** Evaluates with the captures as a URL has them. */
function withCaptures(
  request: SteppedRequest,
  escaped: (text: string) => string,
  evaluate: () => string,
): string {
  const { captures } = request;
  request.setCaptures(captures.map(escaped));
  const text = evaluate();
  request.setCaptures(captures);
  return text;
}

const hex = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a URL cannot hold
const escapeInUrl = (text: string): string => text.replace(/[\x00-\x20"#%<>?\x7f-\xff]/g, hex);
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a query cannot hold
const escapeInQuery = (text: string): string => text.replace(/[\x00-\x20"#%&+<>?\x7f-\xff]/g, hex);
