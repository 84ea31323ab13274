/**
 * `sluice_handler`, `sluice_authorize`, `sluice_hooks`, `sluice_handler_timeout` and what else a handler's
 * location says: ours, for those who come from Lua in their locations. Guards and hooks are inherited like
 * access rules; `off` ends that. Called by translate-location.ts.
 */
import type { Draft } from "./draft.ts";
import { oneInEffect, type Scope } from "./translate-scope.ts";
import { type Context, optionValue } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

/** The role of a handler's location. */
export const HANDLER = "sluice_handler";

/** Where a guard or hooks mean something; elsewhere what is inherited has no effect. */
const FITTING = {
  authorize: ["publisher", "subscriber", "root", "alias", "handler"],
  hooks: ["publisher", "subscriber"],
} as const;

/** Inherited options, and where they mean something: wherever there is code, or at a handler alone. */
const OPTIONS = [
  ["handler_timeout", "code"],
  ["answer_linger", "handler"],
  ["answer_max_size", "handler"],
] as const;

export function handlerRole(directive: Directive, draft: Draft): void {
  draft.set("handler", directive.args[0]?.text ?? "", directive);
}

export function codeOptions({ report, values }: Context, scope: Scope, draft: Draft): void {
  for (const key of ["authorize", "hooks"] as const) {
    const directive = oneInEffect(scope, `sluice_${key}`);
    const path = directive?.args[0]?.text ?? "off";
    if (directive === null || path === "off" || !FITTING[key].some((role) => draft.has(role))) continue;
    draft.set(key, path, directive);
  }
  const body = oneInEffect(scope, "sluice_body");
  if (body !== null && draft.has("handler")) draft.set("body", body.args[0]?.text ?? "", body);
  const isCode = ["handler", "authorize", "hooks"].some((key) => draft.has(key));
  for (const [key, means] of OPTIONS) {
    const directive = oneInEffect(scope, `sluice_${key}`);
    const value = values.of(directive);
    if (directive !== null && value !== undefined && (means === "code" ? isCode : draft.has("handler")))
      draft.set(key, optionValue(report, directive, `location[].${key}`, value), directive);
  }
}
