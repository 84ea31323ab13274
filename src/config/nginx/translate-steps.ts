/**
 * `if`, `set`, `return` and `break` of a server or location as steps. Called by translate-server.ts and
 * translate-location.ts.
 */

import { pcreSource } from "../pcre.ts";
import { FORMER_VARIABLES } from "./directives-push.ts";
import { Draft } from "./draft.ts";
import { addedHeaders } from "./translate-headers.ts";
import type { Scope } from "./translate-scope.ts";
import { type Context, setPushOptions } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

const OPERATORS: readonly string[] = ["=", "!=", "~", "~*", "!~", "!~*"];

/** `seen` makes of a text with variables what our own file takes. */
export function translateSteps(
  context: Context,
  scope: Scope,
  seen: (text: string) => string,
): readonly Draft[] {
  const steps: Draft[] = [];
  for (const item of scope.sequence) {
    if ("name" in item) {
      const step = new Draft(item);
      simpleStep(context, item, step, seen);
      steps.push(step);
    } else steps.push(ifStep(context, item, seen));
  }
  return steps;
}

function simpleStep({ report }: Context, directive: Directive, step: Draft, seen: (text: string) => string) {
  const [first = "", ...rest] = directive.args.map(({ text }) => text);
  if (directive.name === "break") step.set("break", true, directive);
  else if (directive.name === "return") step.set("return", returnText(first, rest[0], seen), directive);
  else if (!/^\$\w+$/.test(first)) report.fault(directive, `invalid variable name "${first}"`);
  else if (FORMER_VARIABLES.includes(first.slice(1)))
    report.faultOf(directive, `of ${first} has become the directive push_stream_channels_path`);
  else {
    const before = step.get("set");
    const settings = Array.isArray(before) ? before : [];
    step.set("set", [...settings, `${first} ${seen(rest[0] ?? "")}`], directive);
  }
}

/** nginx takes up to three digits; ours wants three. */
function returnText(first: string, second: string | undefined, seen: (text: string) => string): string {
  if (second === undefined && !/^\d+$/.test(first)) return seen(first);
  const code = first.padStart(3, "0");
  return second === undefined ? code : `${code} ${seen(second)}`;
}

function ifStep(context: Context, scope: Scope, seen: (text: string) => string): Draft {
  const { report } = context;
  const block = scope.block ?? { name: "if", args: [], file: "", line: 0, block: [] };
  const step = new Draft(block);
  const condition = conditionText(block);
  if ("sentence" in condition) report.fault(block, condition.sentence);
  else step.set("if", condition.text, block);
  setPushOptions(context, scope, step, (name) => scope.own.has(name));
  for (const key of [
    "channels_path",
    "last_received_message_time",
    "last_received_message_tag",
    "last_event_id",
  ]) {
    const value = step.get(key);
    if (typeof value === "string")
      step.set(key, seen(value), scope.own.get(`push_stream_${key}`)?.[0] ?? block);
  }
  if (scope.own.has("add_header")) addedHeaders(scope, step);
  for (const item of scope.sequence) {
    // Nothing behind them is reached.
    if (step.has("return") || step.has("break")) break;
    if ("name" in item) simpleStep(context, item, step, seen);
  }
  return step;
}

type Condition = { readonly text: string } | { readonly sentence: string };

/** From `($arg_x`, `=`, `on`, `)` and the like to `$arg_x = on`. */
function conditionText({ args }: Directive): Condition {
  const words = args.map(({ text }) => text);
  const whole = `invalid condition "${words.join(" ")}"`;
  if (!words[0]?.startsWith("(") || !words.at(-1)?.endsWith(")")) return { sentence: whole };
  words[0] = words[0].slice(1);
  if (words[0] === "") words.shift();
  const last = words.length - 1;
  words[last] = (words[last] ?? "").slice(0, -1);
  if (words[last] === "" && args.at(-1)?.text === ")") words.pop();
  const [variable = "", operator, operand, ...rest] = words;
  if (/^!?-[fdex]$/.test(variable)) return { sentence: `"if" with "${variable}" is not supported` };
  if (!/^\$\w+$|^\$\{\w+\}$/.test(variable) || rest.length > 0) return { sentence: whole };
  if (operator === undefined) return { text: variable };
  if (!OPERATORS.includes(operator) || operand === undefined)
    return { sentence: `unexpected "${operator}" in condition` };
  return operator.includes("~")
    ? regexCondition(variable, operator, operand)
    : { text: `${variable} ${operator} ${operandText(operand)}` };
}

function regexCondition(variable: string, operator: string, operand: string): Condition {
  const { source, ignoreCase } = pcreSource(operand);
  const sign = ignoreCase && !operator.endsWith("*") ? `${operator}*` : operator;
  return { text: `${variable} ${sign} ${operandText(source)}` };
}

/** A plain word as it is, anything else in double quotes. */
const operandText = (text: string): string =>
  /^[\w.$/:@%+,*?!^|()[\]{}=-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
