/**
 * Locations and those inside them, as the tables of our own file: `[[location]]`, `[[location.location]]`.
 * Which of them answers is config/location/locations.ts's, which goes about it as nginx does. Called by
 * translate-server.ts.
 *
 * Left out with a notice: what can never match, which nginx takes as well (`^~ ^(/x)$` is a prefix that no
 * path has), and a regex that stands twice.
 */
import { parseMatch } from "../location/match-syntax.ts";
import { pcreSource } from "../regex/pcre.ts";
import type { Report } from "./translate-report.ts";
import { innerScopes, type Scope } from "./translate-scope.ts";
import type { Directive } from "./tree.ts";

export type Modifier = "=" | "^~" | "~" | "~*" | "";

export interface LocationMatch {
  readonly modifier: Modifier;
  /** A path, a regex in the runtime's words, or "@name". */
  readonly pattern: string;
}

export interface NestedLocation {
  readonly scope: Scope;
  readonly match: LocationMatch;
  readonly inner: readonly NestedLocation[];
}

/** Those of a server, or those inside `outer`. */
export function nestedLocations(
  report: Report,
  scope: Scope,
  outer: LocationMatch | null = null,
): readonly NestedLocation[] {
  const seen = new Set<string>();
  return innerScopes(scope, "location").flatMap((location) => {
    const match = goodMatch(report, location.block, outer);
    if (match === null) return [];
    const text = matchText(match);
    const isSecond = match.modifier.startsWith("~") && seen.has(text);
    seen.add(text);
    const dead = isSecond ? "it stands before" : deadReason(match);
    // What is inside is looked at all the same, for the faults in it.
    const inner = nestedLocations(report, location, match);
    if (dead === null) return [{ scope: location, match, inner }];
    const { file, line } = location.block ?? { file: "", line: 0 };
    report.notice(`${file}:${line}: location ${text} is never used, ${dead}`);
    return [];
  });
}

/** null: faulty, which was told. */
function goodMatch(
  report: Report,
  block: Directive | null,
  outer: LocationMatch | null,
): LocationMatch | null {
  const match = block === null ? null : readMatch(block);
  if (block === null) return null;
  if (match === null) {
    report.fault(block, `invalid location modifier "${block.args[0]?.text ?? ""}"`);
    return null;
  }
  const sentence = outer === null ? null : nestingFault(match, outer, block);
  if (sentence !== null) report.fault(block, sentence);
  return match;
}

export const isNamed = ({ modifier, pattern }: LocationMatch): boolean =>
  modifier === "" && pattern.startsWith("@");

const isRegex = ({ modifier }: LocationMatch): boolean => modifier.startsWith("~");

/** null: it may match. A path is normalised before it is looked for. */
function deadReason(match: LocationMatch): string | null {
  if (isRegex(match) || isNamed(match)) return null;
  const outcome = parseMatch(matchText(match));
  return outcome.ok ? null : "no path is like it";
}

export const matchText = ({ modifier, pattern }: LocationMatch): string =>
  modifier === "" ? pattern : `${modifier} ${pattern}`;

/** null: a modifier that does not exist. */
function readMatch({ args }: Directive): LocationMatch | null {
  const [first = "", second] = args.map(({ text }) => text);
  // One word may hold both: "=/path", "~*\\.php$".
  const [, sign = "", rest = ""] =
    second === undefined ? (/^(=|\^~|~\*|~|)(.*)$/s.exec(first) ?? []) : [first, first, second];
  const modifier = MODIFIERS.find((known) => known === sign);
  if (modifier === undefined) return null;
  if (!modifier.startsWith("~")) return { modifier, pattern: rest };
  const { source, ignoreCase } = pcreSource(rest);
  return { modifier: ignoreCase ? "~*" : modifier, pattern: source };
}

const MODIFIERS: readonly Modifier[] = ["=", "^~", "~", "~*", ""];

/** nginx's sentences. */
function nestingFault(match: LocationMatch, outer: LocationMatch, { args }: Directive): string | null {
  const text = args.at(-1)?.text ?? "";
  if (outer.modifier === "=")
    return `location "${text}" cannot be inside the exact location "${outer.pattern}"`;
  if (isNamed(outer)) return `location "${text}" cannot be inside the named location "${outer.pattern}"`;
  if (isNamed(match)) return `named location "${text}" can be on the server level only`;
  // nginx compares the texts, also that of a regex, and so takes nothing but a regex inside one.
  if (isRegex(match) || match.pattern.startsWith(outer.pattern)) return null;
  return `location "${text}" is outside location "${outer.pattern}"`;
}
