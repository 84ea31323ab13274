/**
 * Locations inside locations, laid flat: our own file has one list, of which the best match serves. Called by
 * translate-server.ts.
 *
 * nginx looks for the longest prefix, then inside that location first, then for the regexes outside. Laid flat:
 * - a prefix or exact location inside a prefix location stands for itself, its prefix is the longer one;
 *   whether regexes outside are looked at is the outermost's say (`^~`);
 * - a regex inside a prefix location becomes a regex that also wants the prefix. It comes before the regexes further out, and
 *   does not want what would have been chosen instead: longer prefixes elsewhere, exact ones, and `^~` ones beside it.
 * The tests hold answers that nginx 1.22 gave.
 * Not translated, and a fault: anything inside a regex location, a regex inside `^~`.
 */
import { pcreSource } from "../pcre.ts";
import type { Report } from "./translate-report.ts";
import { innerScopes, type Scope } from "./translate-scope.ts";
import type { Directive } from "./tree.ts";

export type Modifier = "=" | "^~" | "~" | "~*" | "";

export interface LocationMatch {
  readonly modifier: Modifier;
  /** A path, or a regex in the runtime's words. */
  readonly pattern: string;
}

export interface FlatLocation {
  readonly scope: Scope;
  readonly match: LocationMatch;
}

/** In the order in which our own file must have them. */
export function flattenLocations(report: Report, scopes: readonly Scope[]): readonly FlatLocation[] {
  const flat = new Flattening(report);
  for (const scope of scopes) flat.add(scope, []);
  return flat.inOrder();
}

interface Nested extends FlatLocation {
  /** As written; `match` may have lost its `^~`. */
  readonly written: LocationMatch;
  /** The locations around it, the outermost first, as written. */
  readonly outers: readonly LocationMatch[];
}

class Flattening {
  readonly #report: Report;
  /** In the order of the file. */
  readonly #all: Nested[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  add(scope: Scope, outers: readonly LocationMatch[]): void {
    const { block } = scope;
    if (block === null) return;
    const written = readMatch(block);
    if (written === null) {
      this.#named(block, outers.length > 0);
      return;
    }
    const outer = outers.at(-1);
    const sentence = outer === undefined ? null : nestingFault(written, outer, block);
    if (sentence !== null) this.#report.fault(block, sentence);
    const outermost = outers[0];
    // Only the outermost says whether regexes outside are looked at.
    const isInner = outermost !== undefined && (written.modifier === "" || written.modifier === "^~");
    const match = isInner ? { ...written, modifier: finality(outermost) } : written;
    this.#all.push({ scope, match, written, outers });
    for (const inner of innerScopes(scope, "location")) this.add(inner, [...outers, written]);
  }

  /** Only error_page and try_files lead to those, and they are faults. */
  #named(block: Directive, isInner: boolean): void {
    const name = block.args[0]?.text ?? "";
    if (block.args.length > 1) this.#report.fault(block, `invalid location modifier "${name}"`);
    else if (isInner) this.#report.fault(block, `named location "${name}" can be on the server level only`);
    else this.#report.notice(`${block.file}:${block.line}: location ${name} is never used`);
  }

  /** Only regexes have an order: the deeper, the earlier. */
  inOrder(): readonly FlatLocation[] {
    const depth = ({ match, outers }: Nested): number => (isRegex(match) ? outers.length : 0);
    const ordered = this.#all.toSorted((left, right) => depth(right) - depth(left));
    const flat = ordered.map((one) => ({ scope: one.scope, match: this.#standingAlone(one) }));
    const seen = new Set<string>();
    return flat.filter((one) => !isRegex(one.match) || this.#isFirst(one, seen));
  }

  /** A regex that stands twice is never reached the second time, which nginx accepts and our checks would not. */
  #isFirst({ scope, match }: FlatLocation, seen: Set<string>): boolean {
    const text = matchText(match);
    if (!seen.has(text)) {
      seen.add(text);
      return true;
    }
    const { file, line } = scope.block ?? { file: "", line: 0 };
    this.#report.notice(`${file}:${line}: location ${text} is never used, it stands before`);
    return false;
  }

  /** The match; of a regex inside a prefix: for paths that lead to that prefix. Captures stay what they are. */
  #standingAlone({ match, outers }: Nested): LocationMatch {
    const outer = outers.at(-1);
    if (!isRegex(match) || outer === undefined) return match;
    const unwanted = this.#all
      .filter((other) => isChosenInstead(other, outer))
      .map(({ written: { modifier, pattern } }) => `(?!${literal(pattern)}${modifier === "=" ? "$" : ""})`);
    const source = `^(?=${literal(outer.pattern)})${unwanted.join("")}.*?(?:${match.pattern})`;
    return { modifier: match.modifier, pattern: source };
  }
}

const isRegex = ({ modifier }: LocationMatch): boolean => modifier === "~" || modifier === "~*";

const finality = ({ modifier }: LocationMatch): Modifier => (modifier === "^~" ? "^~" : "");

/** Whether a path that begins with both prefixes is `other`'s before the regexes inside `outer` are tried. */
function isChosenInstead({ written, outers }: Nested, outer: LocationMatch): boolean {
  if (isRegex(written) || written.pattern.length <= outer.pattern.length) return false;
  if (!written.pattern.startsWith(outer.pattern)) return false;
  if (!outers.includes(outer) || written.modifier === "=") return true;
  return written.modifier === "^~" && outers.at(-1) === outer;
}

export const matchText = ({ modifier, pattern }: LocationMatch): string =>
  modifier === "" ? pattern : `${modifier} ${pattern}`;

/** null: a named location, or a modifier that does not exist. */
function readMatch({ args }: Directive): LocationMatch | null {
  const [first = "", second] = args.map(({ text }) => text);
  // One word may hold both: "=/path", "~*\.php$".
  const [, sign = "", rest = ""] =
    second === undefined ? (/^(=|\^~|~\*|~|)(.*)$/s.exec(first) ?? []) : [first, first, second];
  if (second === undefined && rest.startsWith("@") && sign === "") return null;
  const modifier = MODIFIERS.find((known) => known === sign);
  if (modifier === undefined) return null;
  if (!modifier.startsWith("~")) return { modifier, pattern: rest };
  const { source, ignoreCase } = pcreSource(rest);
  return { modifier: ignoreCase ? "~*" : modifier, pattern: source };
}

const MODIFIERS: readonly Modifier[] = ["=", "^~", "~", "~*", ""];

/** The first three sentences are nginx's. */
function nestingFault(match: LocationMatch, outer: LocationMatch, { args }: Directive): string | null {
  const text = args.at(-1)?.text ?? "";
  if (outer.modifier === "=")
    return `location "${text}" cannot be inside the exact location "${outer.pattern}"`;
  if (isRegex(outer)) return "a location inside one with a regular expression is not supported";
  if (!isRegex(match) && !match.pattern.startsWith(outer.pattern))
    return `location "${text}" is outside location "${outer.pattern}"`;
  return isRegex(match) && outer.modifier === "^~"
    ? 'a location with a regular expression inside a "^~" one is not supported'
    : null;
}

const literal = (path: string): string => path.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
