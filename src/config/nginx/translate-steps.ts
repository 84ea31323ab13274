/**
 * `if`, `set`, `rewrite`, `return` and `break` of a server or location as steps. Called by
 * translate-server.ts and translate-location.ts.
 */

import { pcreSource } from "../regex/pcre.ts";
import { Draft } from "./draft.ts";
import { overrides } from "./translate-overrides.ts";
import type { Scope } from "./translate-scope.ts";
import { type Context, setPushOptions } from "./translate-settings.ts";
import { quotedWord } from "./translate-words.ts";
import type { Directive } from "./tree.ts";

const OPERATORS: readonly string[] = ["=", "!=", "~", "~*", "!~", "!~*"];

/** `seen` makes of a text with variables what our own file takes. */
export function translateSteps(
  context: Context,
  scope: Scope,
  seen: (text: string) => string,
): readonly Draft[] {
  return scope.sequence.flatMap((item) => {
    if (!("name" in item)) return ifSteps(context, item, seen);
    const step = new Draft(item);
    simpleStep(context, item, step, seen);
    return [step];
  });
}

function simpleStep({ report }: Context, directive: Directive, step: Draft, seen: (text: string) => string) {
  const [first = "", ...rest] = directive.args.map(({ text }) => text);
  const add = (key: "set" | "rewrite", text: string): void => {
    const before = step.get(key);
    step.set(key, [...(Array.isArray(before) ? before : []), text], directive);
  };
  if (directive.name === "break") step.set("break", true, directive);
  else if (directive.name === "return") step.set("return", returnText(first, rest[0], seen), directive);
  else if (directive.name === "rewrite") {
    const [replacement = "", flag] = rest;
    if (flag !== undefined && !REWRITE_FLAGS.includes(flag))
      report.fault(directive, `invalid parameter "${flag}"`);
    else {
      // nginx's `(?i)` has to stay with the regex, which has no sign here for "without case".
      const { source, ignoreCase } = pcreSource(first);
      const words = [quotedWord(ignoreCase ? withoutCase(source) : source), quotedWord(seen(replacement))];
      add("rewrite", [...words, ...(flag === undefined ? [] : [flag])].join(" "));
    }
  } else if (!/^\$\w+$/.test(first)) report.fault(directive, `invalid variable name "${first}"`);
  else add("set", `${first} ${seen(rest[0] ?? "")}`);
}

const REWRITE_FLAGS: readonly string[] = ["last", "break", "redirect", "permanent"];

/** Each letter as a class of both its cases; in a class of the expression, both beside each other. */
function withoutCase(source: string): string {
  let inClass = false;
  return source.replace(/\\(?:x[\da-f]{2}|.)|\(\?<\w+>|[[\]]|[a-z]/gis, (piece) => {
    if (piece === "[") inClass = true;
    else if (piece === "]") inClass = false;
    if (piece.length > 1 || !/[a-z]/i.test(piece)) return piece;
    const both = piece.toLowerCase() + piece.toUpperCase();
    return inClass ? both : `[${both}]`;
  });
}

/** nginx takes up to three digits; ours wants three. */
function returnText(first: string, second: string | undefined, seen: (text: string) => string): string {
  if (second === undefined && !/^\d+$/.test(first)) return seen(first);
  const code = first.padStart(3, "0");
  return second === undefined ? code : `${code} ${seen(second)}`;
}

const COMPLEX_KEYS = [
  "channels_path",
  "last_received_message_time",
  "last_received_message_tag",
  "last_event_id",
] as const;

/**
 * One step, or several where what stands in the block is not in the order of a step: set, then rewrite, then
 * return or break.
 */
function ifSteps(context: Context, scope: Scope, seen: (text: string) => string): readonly Draft[] {
  const { report } = context;
  const block = scope.block ?? { name: "if", args: [], file: "", line: 0, block: [] };
  const step = new Draft(block);
  const condition = conditionText(block, seen);
  if ("sentence" in condition) report.fault(block, condition.sentence);
  const rounds = inRounds(scope.sequence);
  const steps = [step];
  if (rounds.length > 1) {
    // The condition is tried once, and remembered: what follows may change what it looks at.
    const held = `$sluice_if_${block.line}`;
    const before = new Draft(block);
    before.set("set", [`${held} `], block);
    const first = new Draft(block);
    if ("text" in condition) first.set("if", condition.text, block);
    first.set("set", [`${held} 1`], block);
    step.set("if", held, block);
    steps.unshift(before, first);
    for (const round of rounds.slice(1)) {
      const next = new Draft(block);
      next.set("if", held, block);
      for (const directive of round) simpleStep(context, directive, next, seen);
      steps.push(next);
    }
  } else if ("text" in condition) step.set("if", condition.text, block);
  setPushOptions(context, scope, step, (name) => scope.own.has(name));
  for (const key of COMPLEX_KEYS) {
    const value = step.get(key);
    if (typeof value === "string")
      step.set(key, seen(value), scope.own.get(`push_stream_${key}`)?.[0] ?? block);
  }
  overrides(context, scope, step);
  for (const directive of rounds[0] ?? []) simpleStep(context, directive, step, seen);
  return steps;
}

const RANKS: Readonly<Record<string, number>> = { set: 0, rewrite: 1, return: 2, break: 2 };

/**
 * Runs of directives that one step does in their order. What stands behind a return or break is not reached.
 */
function inRounds(sequence: Scope["sequence"]): readonly (readonly Directive[])[] {
  const rounds: Directive[][] = [[]];
  let rank = 0;
  for (const item of sequence) {
    if (!("name" in item)) continue;
    const own = RANKS[item.name] ?? 0;
    if (own < rank) rounds.push([]);
    rank = own;
    rounds.at(-1)?.push(item);
    if (own === 2) break;
  }
  return rounds;
}

type Condition = { readonly text: string } | { readonly sentence: string };

/** From `($arg_x`, `=`, `on`, `)` and the like to `$arg_x = on`. */
function conditionText({ args }: Directive, seen: (text: string) => string): Condition {
  const words = args.map(({ text }) => text);
  const whole = `invalid condition "${words.join(" ")}"`;
  if (!words[0]?.startsWith("(") || !words.at(-1)?.endsWith(")")) return { sentence: whole };
  words[0] = words[0].slice(1);
  if (words[0] === "") words.shift();
  const last = words.length - 1;
  words[last] = (words[last] ?? "").slice(0, -1);
  if (words[last] === "" && args.at(-1)?.text === ")") words.pop();
  const [variable = "", operator, operand, ...rest] = words;
  if (/^!?-[fdex]$/.test(variable))
    return operator === undefined || operand !== undefined
      ? { sentence: whole }
      : { text: `${variable} ${quotedWord(seen(operator))}` };
  if (!/^\$\w+$|^\$\{\w+\}$/.test(variable) || rest.length > 0) return { sentence: whole };
  if (operator === undefined) return { text: variable };
  if (!OPERATORS.includes(operator) || operand === undefined)
    return { sentence: `unexpected "${operator}" in condition` };
  return operator.includes("~")
    ? regexCondition(variable, operator, operand)
    : { text: `${seen(variable)} ${operator} ${quotedWord(seen(operand))}` };
}

function regexCondition(variable: string, operator: string, operand: string): Condition {
  const { source, ignoreCase } = pcreSource(operand);
  const sign = ignoreCase && !operator.endsWith("*") ? `${operator}*` : operator;
  return { text: `${variable} ${sign} ${quotedWord(source)}` };
}
