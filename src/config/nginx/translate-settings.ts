/**
 * From a directive's value to an option's: the form our own file wants, within the bounds of the option
 * table. What is beyond a bound is cut to it with a notice: "unlimited" is what such numbers mean, and nginx
 * would have taken them. Used by translate-main.ts and translate-location.ts.
 */
import type { TomlValue } from "../kinds.ts";
import { OPTIONS, type OptionPath } from "../options.ts";
import { parseDuration, parseSize } from "../units.ts";
import { PUSH_DIRECTIVES } from "./directives-push.ts";
import type { Draft, DraftValue } from "./draft.ts";
import type { Report } from "./translate-report.ts";
import { oneInEffect, type Scope } from "./translate-scope.ts";
import { durationText, sizeValue } from "./translate-units.ts";
import type { Value, ValueReader } from "./translate-values.ts";
import type { Directive } from "./tree.ts";

export interface Context {
  readonly report: Report;
  readonly values: ValueReader;
  /** Relative paths are relative to it. */
  readonly folder: string;
}

/** Writes the values of all directives of a level ("h" or "hsl…") that are in effect in `scope`. */
export function setPushOptions(
  { report, values }: Context,
  scope: Scope,
  draft: Draft,
  isWanted: (name: string) => boolean,
): void {
  for (const [name, { path, contexts }] of PUSH_DIRECTIVES) {
    if (name === "push_stream_header_template_file" || !isWanted(name)) continue;
    const directive = oneInEffect(scope, name);
    const value = values.of(directive);
    if (directive === null || value === undefined) continue;
    const optionPath = contexts === "h" ? path : `location[].${path}`;
    draft.setAt(path, optionValue(report, directive, optionPath as OptionPath, value), directive);
  }
}

/**
 * The value of an option of this path, cut to what the option takes. Numbers are seconds, milliseconds or
 * bytes as the kind says.
 */
export function optionValue(
  report: Report,
  directive: Directive,
  path: OptionPath,
  value: Value,
): DraftValue {
  if (typeof value !== "number") return value;
  const { kind, min, max } = OPTIONS[path] as { kind: string; min?: TomlValue; max?: TomlValue };
  const units = UNITS[kind] ?? PLAIN;
  const least = min === undefined || value === 0 ? 0 : units.read(min);
  const most = max === undefined ? Number.POSITIVE_INFINITY : units.read(max);
  const fitting = Math.min(most, Math.max(least, value));
  const written = units.write(fitting);
  if (fitting !== value)
    report.notice(`${directive.file}:${directive.line}: ${directive.name} is cut to ${written}`);
  return written;
}

interface Units {
  read(written: TomlValue): number;
  write(value: number): DraftValue;
}

const PLAIN: Units = { read: Number, write: (value) => value };
const UNITS: Readonly<Record<string, Units>> = {
  size: { read: (written) => parseSize(written) ?? 0, write: sizeValue },
  seconds: {
    read: (written) => (parseDuration(written) ?? 0) / 1000,
    write: (value) => durationText(value * 1000),
  },
  milliseconds: { read: (written) => parseDuration(written) ?? 0, write: durationText },
};

/** A slash at the end means something to alias, so this is not `resolve`. */
export const absolute = (folder: string, path: string): string =>
  path.startsWith("/") ? path : `${folder.replace(/\/$/, "")}/${path}`;
