/** Complex values of a location, compiled with the captures its match has: what every endpoint does once at start. */
import { parseMatch } from "./match-syntax.ts";
import type { LocationConfig } from "./model.ts";
import { type CompiledValue, compileDecodedValue } from "./variables.ts";

/** Evaluates to a binary string, percent-decoded once (push-stream spec 3.2). Throws on text that `check` refuses. */
export function locationValue(location: LocationConfig, text: string): CompiledValue {
  const match = parseMatch(location.match);
  return match.ok ? compileDecodedValue(text, match.groups) : compileDecodedValue(text);
}

/** null stays null: the option is not set. */
export function optionalLocationValue(location: LocationConfig, text: string | null): CompiledValue | null {
  return text === null ? null : locationValue(location, text);
}
