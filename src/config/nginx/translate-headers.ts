/** add_header, of a location or of an `if`. Called by translate-location-core.ts and translate-steps.ts. */
import type { Draft } from "./draft.ts";
import { constantsIn } from "./translate-names.ts";
import { inEffect, type Scope } from "./translate-scope.ts";

/** "Name value", "always Name value": the form of our own file. */
export function addedHeaders(scope: Scope, draft: Draft): void {
  const directives = inEffect(scope, "add_header");
  const [first] = directives;
  if (first === undefined) return;
  const constants = constantsIn(scope);
  const texts = directives.map(({ args }) => {
    const [name = "", value = "", always] = args.map(({ text }) => text);
    return `${always === undefined ? "" : "always "}${name} ${constants(value)}`;
  });
  draft.set("add_header", texts, first);
}
