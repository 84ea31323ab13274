/**
 * nginx's `map`: variables that follow from other texts, evaluated when somebody asks for one and then kept
 * for the request. Checked by document.ts, asked by locator.ts.
 *
 * Plain texts come first, compared without case as in nginx; then, where the map says so, names of hosts with
 * a mask, the longest one; then the first regex that matches; else the default. Captures of that regex are
 * there for its value, and gone afterwards.
 */
import { toBinary } from "../binary-text.ts";
import type { Issue } from "../fault.ts";
import type { MapConfig } from "../model/steps.ts";
import { MAP_PREFIX } from "../options.ts";
import { type BoundedRegex, boundedRegex, checkedRegex } from "../regex/bounded-regex.ts";
import { type CaptureGroups, NO_GROUPS } from "./match-syntax.ts";
import { type SteppedRequest, setGroups } from "./rewrite.ts";
import { type CompiledValue, compileValue, valueFault } from "./variables.ts";

/** A map of a map of a map …: deeper ones are a circle. */
const MOST_DEPTH = 16;
const NINE: CaptureGroups = { count: 9, names: NO_GROUPS.names };
const CASE = /^\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))(?:\s+(.*))?$/s;

interface Case {
  readonly pattern: string;
  readonly value: string;
}

function parseCase(text: string): Case | null {
  const parts = CASE.exec(text);
  if (parts === null) return null;
  return { pattern: parts[1]?.replace(/\\(["\\])/g, "$1") ?? parts[2] ?? "", value: parts[3] ?? "" };
}

/** null: it is a text. */
const regexOf = ({ pattern }: Case) =>
  pattern.startsWith("~")
    ? { source: toBinary(pattern.replace(/^~\*?/, "")), flags: pattern.startsWith("~*") ? "si" : "s" }
    : null;

/** What `\` in front makes an ordinary text: `\default`, `\~x`. */
const textOf = ({ pattern }: Case): string => toBinary(pattern.replace(/^\\/, "")).toLowerCase();

/** Names of the groups in a case's regex, which are variables, too; "" when there is no regex. */
export function caseRegex(text: string): string {
  const parsed = parseCase(text);
  return parsed?.pattern.startsWith("~") === true ? parsed.pattern.replace(/^~\*?/, "") : "";
}

/** `values` by path; what was faulty is undefined. */
export function mapIssues(
  values: Readonly<Record<string, unknown>>,
  names: ReadonlySet<string>,
): readonly Issue[] {
  const {
    from,
    to,
    cases,
    default: fallback,
  } = {
    from: values[`${MAP_PREFIX}from`],
    to: values[`${MAP_PREFIX}to`],
    cases: values[`${MAP_PREFIX}cases`],
    default: values[`${MAP_PREFIX}default`],
  };
  const issues: Issue[] = [];
  const note = (suffix: string, value: unknown, sentence: string | null): void => {
    if (sentence !== null) issues.push({ suffix, value, sentence });
  };
  for (const [key, value] of [
    ["from", from],
    ["to", to],
  ] as const)
    if (value === null) note(`.${key}`, undefined, `${key} must be set.`);
  if (typeof from === "string") note(".from", from, valueFault(from, NO_GROUPS, names));
  if (typeof to === "string" && !/^\$?[a-z_]\w*$/i.test(to)) note(".to", to, 'a variable is "$name".');
  if (typeof fallback === "string") note(".default", fallback, valueFault(fallback, NO_GROUPS, names));
  if (Array.isArray(cases)) {
    const seen = new Set<string>();
    cases.forEach((text: string, i) => {
      note(`.cases[${i}]`, text, caseFault(text, seen, names));
    });
  }
  return issues;
}

function caseFault(text: string, seen: Set<string>, names: ReadonlySet<string>): string | null {
  const parsed = parseCase(text);
  if (parsed === null) return 'a case is "text value" or "~regex value".';
  const regex = regexOf(parsed);
  if (regex === null) {
    const key = textOf(parsed);
    if (seen.has(key)) return `conflicting parameter "${parsed.pattern}".`;
    seen.add(key);
    return valueFault(parsed.value, NO_GROUPS, names);
  }
  const outcome = boundedRegex(regex.source, regex.flags);
  return outcome.ok ? valueFault(parsed.value, NINE, names) : outcome.sentence;
}

/** A text was longer than a regex of a map takes: nobody knows its value. */
export const UNKNOWN = "unknown";

interface CompiledMap {
  readonly from: CompiledValue;
  readonly texts: ReadonlyMap<string, CompiledValue>;
  /** ".example.org", the longest first, and "example.". */
  readonly masks: readonly { readonly fits: (host: string) => boolean; readonly value: CompiledValue }[];
  readonly regexes: readonly { readonly regex: BoundedRegex; readonly value: CompiledValue }[];
  readonly fallback: CompiledValue;
}

export class Maps {
  readonly #maps: ReadonlyMap<string, CompiledMap>;
  #depth = 0;

  constructor(maps: readonly MapConfig[], names: ReadonlySet<string>) {
    this.#maps = new Map(maps.map((map) => [map.to, compileMap(map, names)]));
  }

  /** null: no map makes this variable. */
  valueOf(name: string, request: SteppedRequest): string | null | { readonly fault: typeof UNKNOWN } {
    const map = this.#maps.get(name);
    if (map === undefined) return null;
    if (this.#depth >= MOST_DEPTH) return "";
    this.#depth++;
    try {
      return find(map, map.from(request), request);
    } finally {
      this.#depth--;
    }
  }
}

function find(map: CompiledMap, text: string, request: SteppedRequest): string | { fault: typeof UNKNOWN } {
  const plain = map.texts.get(text.toLowerCase());
  if (plain !== undefined) return plain(request);
  const mask = map.masks.find(({ fits }) => fits(text.toLowerCase()));
  if (mask !== undefined) return mask.value(request);
  if (text === "") return map.fallback(request);
  for (const { regex, value } of map.regexes) {
    if (text.length > regex.longest) return { fault: UNKNOWN };
    const found = regex.exec(text);
    if (found === null) continue;
    const { captures } = request;
    request.setCaptures(Array.from(found, (group) => group ?? ""));
    setGroups(request, regex, found);
    const evaluated = value(request);
    request.setCaptures(captures);
    return evaluated;
  }
  return map.fallback(request);
}

function compileMap(map: MapConfig, names: ReadonlySet<string>): CompiledMap {
  const texts = new Map<string, CompiledValue>();
  const heads: { text: string; value: CompiledValue }[] = [];
  const tails: { text: string; value: CompiledValue }[] = [];
  const regexes: { regex: BoundedRegex; value: CompiledValue }[] = [];
  for (const parsed of map.cases.flatMap((text) => parseCase(text) ?? [])) {
    const regex = regexOf(parsed);
    const value = compileValue(parsed.value, regex === null ? NO_GROUPS : NINE, names);
    const text = textOf(parsed);
    if (regex !== null) regexes.push({ regex: checkedRegex(regex.source, regex.flags), value });
    else if (map.hostnames && text.startsWith("*.")) heads.push({ text: text.slice(1), value });
    else if (map.hostnames && text.endsWith(".*")) tails.push({ text: text.slice(0, -1), value });
    else if (map.hostnames && text.startsWith(".")) {
      texts.set(text.slice(1), value);
      heads.push({ text, value });
    } else texts.set(text, value);
  }
  const longestFirst = (left: { text: string }, right: { text: string }) =>
    right.text.length - left.text.length;
  const masks = [
    ...heads.toSorted(longestFirst).map(({ text, value }) => ({
      fits: (host: string) => host.endsWith(text) && host.length > text.length,
      value,
    })),
    ...tails.toSorted(longestFirst).map(({ text, value }) => ({
      fits: (host: string) => host.startsWith(text) && host.length > text.length,
      value,
    })),
  ];
  return {
    from: compileValue(map.from, NO_GROUPS, names),
    texts,
    masks,
    regexes,
    fallback: compileValue(map.default, NO_GROUPS, names),
  };
}
