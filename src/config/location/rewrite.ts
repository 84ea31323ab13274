/**
 * Steps of a location or server: nginx's `if`, `set`, `rewrite`, `return` and `break`, compiled once and run
 * for each request before the role of its location gets to see it. Called by locator.ts; document.ts
 * checks the texts with the same readers.
 *
 * The order and effect are those of nginx's rewrite module: steps run from top to bottom, the last `if` that
 * holds decides which variant of the location serves, a `return` answers at once, a `break` ends the steps,
 * and a path that was rewritten is looked for again when they are over.
 */
import { toBinary } from "../binary-text.ts";
import type { StepConfig } from "../model/steps.ts";
import { type BoundedRegex, boundedRegex, checkedRegex } from "../regex/bounded-regex.ts";
import type { Captures } from "../regex/regex-linear.ts";
import { type FileTest, isThere } from "./file-test.ts";
import { caseRegex } from "./maps.ts";
import { type CaptureGroups, NO_GROUPS, parseMatch } from "./match-syntax.ts";
import { type CompiledRewrite, compileRewrite, type Rewritten, rewriteRegex } from "./rewriting.ts";
import { type CompiledValue, compileValue, type RequestFacts, valueFault } from "./variables.ts";

/** A request that steps may change: the variables they set, and the captures of their regexes. */
export interface SteppedRequest extends RequestFacts {
  setVariable(name: string, value: string): void;
  setCaptures(captures: readonly string[]): void;
  /** The path, decoded, and the query, as it is sent. */
  rewrite(path: string, query: string): void;
}

/** What a `return` says; texts are binary strings. */
export interface Returned {
  readonly status: number;
  /** Body, or the URL of a redirect; null: the status alone. */
  readonly text: string | null;
}

/**
 * `variant`: index of the location that serves instead, -1 = the one that was found. `isMoved`: the location
 * is to be looked for again.
 */
export interface StepsOutcome {
  readonly variant: number;
  readonly returned: Returned | null;
  readonly isMoved: boolean;
}

export type CompiledSteps = (request: SteppedRequest) => StepsOutcome;

type Holds = (request: SteppedRequest) => boolean | "too long";

/** "$name", optionally compared with a word or a text in double quotes. */
const CONDITION = /^\s*\$(?:\{(\w+)\}|(\w+))\s*(?:(!?=|!?~\*?)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*)))?\s*$/s;
/** `-f` and the like, and the name of a file. */
const FILE_CONDITION = /^\s*(!?)-([fdex])\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*$/s;
const FORMS =
  '"$name", or "$name = word", with =, !=, ~, ~*, !~ or !~*, or "-f $name", with -f, -d, -e or -x.';
const SETTING = /^\s*\$(\w+)\s+(.*)$/s;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const NOT_CHANGED = -1;
/**
 * A text that is longer than a regex takes is refused. Looking at a part would let the rest of it past a
 * check.
 */
export const TOO_LONG: Returned = { status: 414, text: null };
/** A path that was rewritten to nothing, or again and again. */
export const LOST: Returned = { status: 500, text: null };

// --- reading -----------------------------------------------------------------------------------------------

/**
 * Names of the variables that some step of the document sets, or a named group of some regex in it: those are
 * variables everywhere, as in nginx. What is malformed is somebody else's to tell.
 */
export function setVariables(document: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(document)) for (const item of document) setVariables(item, names);
  else if (document !== null && typeof document === "object") {
    for (const [key, value] of Object.entries(document)) {
      if (key === "set") for (const text of [value].flat()) addName(names, text);
      else if (key === "if" && typeof value === "string") addGroups(names, conditionRegex(value) ?? "");
      else if (key === "rewrite")
        for (const text of [value].flat())
          addGroups(names, typeof text === "string" ? rewriteRegex(text) : "");
      else if (key === "match" && typeof value === "string") addMatchGroups(names, value);
      else if (key === "server_name")
        for (const name of [value].flat()) addMatchGroups(names, typeof name === "string" ? name : "");
      else if (key === "to") addName(names, `$${String(value).replace(/^\$/, "")} x`);
      else if (key === "cases")
        for (const text of [value].flat()) addGroups(names, typeof text === "string" ? caseRegex(text) : "");
      else if (key === "server" || key === "location" || key === "step" || key === "map")
        setVariables(value, names);
    }
  }
  return names;
}

function addName(names: Set<string>, text: unknown): void {
  const name = typeof text === "string" ? SETTING.exec(text)?.[1] : undefined;
  if (name !== undefined) names.add(name.toLowerCase());
}

function addMatchGroups(names: Set<string>, match: string): void {
  const outcome = parseMatch(match);
  if (outcome.ok) for (const name of outcome.groups.names.keys()) names.add(name.toLowerCase());
}

const addGroups = (names: Set<string>, regex: string): void => addMatchGroups(names, `~ ${regex}`);

/** null: it has none. */
function conditionRegex(condition: string): string | null {
  const parts = CONDITION.exec(condition);
  return parts?.[3]?.includes("~") === true ? operandOf(parts) : null;
}

/** Whether a condition brings captures of its own. */
export const hasRegex = (condition: string | null): boolean =>
  condition !== null && conditionRegex(condition) !== null;

/** What is wrong with a condition, or null. */
export function conditionFault(text: string, names: ReadonlySet<string>): string | null {
  const file = fileCondition(text);
  if (file !== null) return valueFault(file.path, ANY_GROUPS, names);
  const parts = CONDITION.exec(text);
  if (parts === null) return `a condition is ${FORMS}`;
  const variable = valueFault(`$${parts[1] ?? parts[2]}`, ANY_GROUPS, names);
  if (variable !== null) return variable;
  const operand = operandOf(parts);
  if (!parts[3]?.includes("~")) return operand === null ? null : valueFault(operand, ANY_GROUPS, names);
  const outcome = boundedRegex(toBinary(operand ?? ""), flagsOf(parts[3]));
  return outcome.ok ? null : outcome.sentence;
}

/** null: it is none. */
function fileCondition(text: string) {
  const parts = FILE_CONDITION.exec(text);
  if (parts === null) return null;
  const path = parts[3]?.replace(/\\(["\\])/g, "$1") ?? parts[4] ?? "";
  return { wanted: parts[1] === "", test: parts[2] as FileTest, path };
}

const flagsOf = (sign: string): string => (sign.endsWith("*") ? "si" : "s");

/** What is wrong with a "$name value", or null. */
export function settingFault(text: string, names: ReadonlySet<string>): string | null {
  const parts = SETTING.exec(text);
  return parts === null ? '"set" takes "$name value".' : valueFault(parts[2] ?? "", ANY_GROUPS, names);
}

/** What is wrong with a return, or null. */
export function returnFault(text: string, names: ReadonlySet<string>): string | null {
  const parsed = parseReturn(text);
  if (parsed === null) return `invalid return code "${text.split(/\s/, 1)[0]}".`;
  return parsed.text === null ? null : valueFault(parsed.text, ANY_GROUPS, names);
}

function parseReturn(text: string): Returned | null {
  const parts = /^(\d{3})(?:\s+(.*))?$/s.exec(text);
  if (parts !== null) return { status: Number(parts[1]), text: parts[2] ?? null };
  return /^(?:https?:\/\/|\$scheme)/.test(text) ? { status: 302, text } : null;
}

/** Any of nine captures may be there: a regex of a step brings its own. */
const ANY_GROUPS: CaptureGroups = { count: 9, names: NO_GROUPS.names };

function operandOf(parts: RegExpExecArray): string | null {
  const quoted = parts[4];
  if (quoted !== undefined) return quoted.replace(/\\(["\\])/g, "$1");
  return parts[5] ?? null;
}

// --- running -----------------------------------------------------------------------------------------------

/** `null` when there is nothing to run. Texts were checked before; a bad one throws. */
export function compileSteps(
  steps: readonly StepConfig[],
  groups: CaptureGroups,
  names: ReadonlySet<string>,
): CompiledSteps | null {
  if (steps.length === 0) return null;
  const values = { groups: { count: Math.max(9, groups.count), names: groups.names }, names };
  const compiled = steps.map((step) => compileStep(step, values));
  return (request) => {
    let variant = NOT_CHANGED;
    let isMoved = false;
    for (const step of compiled) {
      const holds = step.holds(request);
      if (holds === "too long") return { variant, returned: TOO_LONG, isMoved };
      if (!holds) continue;
      for (const { name, value } of step.settings) request.setVariable(name, value(request));
      // Each block of an `if` stands for itself: nothing of an earlier one that held is left.
      if (step.variant !== NOT_CHANGED) variant = step.variant;
      for (const rewrite of step.rewrites) {
        const came = rewrite(request);
        const returned = returnedBy(came);
        if (returned !== null) return { variant, returned, isMoved };
        if (came === "search" || came === "stay")
          return { variant, returned: null, isMoved: came === "search" };
        isMoved ||= came === "on";
      }
      if (step.answer !== null) return { variant, returned: step.answer(request), isMoved };
      // nginx's `break` undoes the search, not the rewriting.
      if (step.isBreak) return { variant, returned: null, isMoved: false };
    }
    return { variant, returned: null, isMoved };
  };
}

function returnedBy(came: Rewritten): Returned | null {
  if (typeof came === "object") return came;
  if (came === "too long") return TOO_LONG;
  return came === "no path" ? LOST : null;
}

interface Values {
  readonly groups: CaptureGroups;
  readonly names: ReadonlySet<string>;
}

interface Step {
  readonly holds: Holds;
  readonly settings: readonly { readonly name: string; readonly value: CompiledValue }[];
  readonly rewrites: readonly CompiledRewrite[];
  readonly variant: number;
  readonly answer: ((request: SteppedRequest) => Returned) | null;
  readonly isBreak: boolean;
}

function compileStep(step: StepConfig, values: Values): Step {
  return {
    holds: step.condition === null ? () => true : compileCondition(step.condition, values),
    settings: step.set.map((text) => {
      const parts = SETTING.exec(text);
      return {
        name: (parts?.[1] ?? "").toLowerCase(),
        value: compileValue(parts?.[2] ?? "", values.groups, values.names),
      };
    }),
    rewrites: step.rewrite.map((text) => compileRewrite(text, values, matches)),
    variant: step.variant,
    answer: step.return === null ? null : compileReturn(step.return, values),
    isBreak: step.isBreak,
  };
}

function compileReturn(text: string, { groups, names }: Values): (request: SteppedRequest) => Returned {
  const parsed = parseReturn(text);
  if (parsed === null) throw new Error(`return ${text}: not a return`);
  const { status } = parsed;
  if (parsed.text === null) return () => ({ status, text: null });
  const value = compileValue(parsed.text, groups, names);
  return (request) => ({ status, text: value(request) });
}

export const isRedirect = (status: number): boolean => REDIRECTS.includes(status);

function compileCondition(text: string, { groups, names }: Values): Holds {
  const file = fileCondition(text);
  if (file !== null) {
    const path = compileValue(file.path, groups, names);
    return (request) => isThere(file.test, path(request)) === file.wanted;
  }
  const parts = CONDITION.exec(text);
  if (parts === null) throw new Error(`${text}: not a condition`);
  const left = compileValue(`$${parts[1] ?? parts[2]}`, groups, names);
  const sign = parts[3];
  // nginx takes an empty value and "0" as false.
  if (sign === undefined) return (request) => !["", "0"].includes(left(request));
  const operand = operandOf(parts) ?? "";
  const wanted = !sign.startsWith("!");
  if (sign.includes("~")) {
    const regex = checkedRegex(toBinary(operand), flagsOf(sign));
    return (request) => {
      const tried = left(request);
      return tried.length > regex.longest ? "too long" : matches(request, regex, tried) === wanted;
    };
  }
  const right = compileValue(operand, groups, names);
  return (request) => (left(request) === right(request)) === wanted;
}

function matches(request: SteppedRequest, regex: BoundedRegex, text: string): boolean {
  const found = regex.exec(text);
  if (found === null) return false;
  request.setCaptures(Array.from(found, (group) => group ?? ""));
  setGroups(request, regex, found);
  return true;
}

/**
 * Named groups are variables (nginx); what took no part is empty. Of a name in several branches, one took
 * part.
 */
export function setGroups(
  request: Pick<SteppedRequest, "setVariable">,
  { names }: BoundedRegex,
  found: Captures,
): void {
  for (const [name] of names) request.setVariable(name.toLowerCase(), "");
  for (const [name, group] of names) {
    const value = found[group];
    if (value !== undefined) request.setVariable(name.toLowerCase(), value);
  }
}
