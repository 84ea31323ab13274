/**
 * One thing wrong with a configuration, and how it is shown. Every check of this folder makes these; load.ts
 * hands all of them out together (architecture 5: one validator that reports all faults), cli/check.ts prints
 * them.
 */
export interface Fault {
  /** "file:line" where the line is known, else "file"; "--listen" and the like for the command line. */
  readonly place: string;
  /** "store.size", "listen[1]", "location[2].match" (counted from 0); "" when the whole file is meant. */
  readonly path: string;
  /** The offending value as it would be written; "" when something is missing. */
  readonly value: string;
  /** One sentence that says what is wrong and, where it can, what would be right. */
  readonly sentence: string;
}

/**
 * A fault inside one value, before its place is known. `suffix` is added to the option's path, e.g. "[1]".
 */
export interface Issue {
  readonly suffix: string;
  readonly value: unknown;
  readonly sentence: string;
}

const MAX_SHOWN_CHARACTERS = 80;

/**
 * A value as it is shown in a fault: TOML-like, on one line, at most 80 characters. undefined = nothing to
 * show.
 */
export function shownValue(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS - 1)}…` : text;
}

/** The same of what is no fault: said, and served all the same. */
export const formatWarning = (warning: Fault): string =>
  formatFault({ ...warning, place: `${warning.place}: warning` });

/**
 * "sluice.toml:12: location[2].match = "~ (": bad regular expression …": the one line `sluice check` prints
 * for a fault.
 */
export function formatFault(fault: Fault): string {
  if (fault.path === "") return `${fault.place}: ${fault.sentence}`;
  const value = fault.value === "" ? "" : ` = ${fault.value}`;
  return `${fault.place}: ${fault.path}${value}: ${fault.sentence}`;
}
