/**
 * Complex values of a location, compiled with the captures and variables it has: what every endpoint does
 * once at start.
 */

import type { LocationConfig } from "../model.ts";
import { type CaptureGroups, NO_GROUPS, parseMatch } from "./match-syntax.ts";
import { hasRegex } from "./rewrite.ts";
import { type CompiledValue, compileDecodedValue, compileValue } from "./variables.ts";

/** `$1` to `$9` mean something where a step has a regex of its own. */
const STEP_GROUPS = 9;

/** What of a step may capture. */
export interface CapturingStep {
  readonly condition: string | null;
  readonly rewrite: readonly string[];
}

/** The groups values of a location may name: those of its match, and nine if a step may capture. */
export function groupsWithSteps(groups: CaptureGroups, steps: readonly CapturingStep[]): CaptureGroups {
  return steps.some(({ condition, rewrite }) => hasRegex(condition) || rewrite.length > 0)
    ? { count: Math.max(STEP_GROUPS, groups.count), names: groups.names }
    : groups;
}

/**
 * Evaluates to a binary string, percent-decoded once (push-stream spec 3.2). Throws on text that `check`
 * refuses.
 */
export const locationValue = (location: LocationConfig, text: string): CompiledValue =>
  compileDecodedValue(text, groupsOf(location), location.setVariables);

/**
 * The same without decoding, as nginx evaluates what is not the push stream module's: headers, texts, log
 * lines.
 */
export const rawLocationValue = (location: LocationConfig, text: string): CompiledValue =>
  compileValue(text, groupsOf(location), location.setVariables);

/** null stays null: the option is not set. */
export function optionalLocationValue(location: LocationConfig, text: string | null): CompiledValue | null {
  return text === null ? null : locationValue(location, text);
}

export function groupsOf(location: LocationConfig): CaptureGroups {
  const match = parseMatch(location.match);
  return groupsWithSteps(match.ok ? match.groups : NO_GROUPS, location.steps);
}
