/**
 * `[shared.NAME]`: dictionaries that the handlers of all workers share. Its names are checked here, its
 * options in the table. Called by document.ts and build.ts.
 */
import type { Issue } from "./fault.ts";
import type { SharedConfig } from "./model/code.ts";
import type { SharedValues } from "./options.ts";

/** A part of a file's name. */
const NAME = /^\w[\w-]{0,63}$/;

export interface SharedEntry {
  readonly name: string;
  readonly values: SharedValues;
}

export const sharedNameIssues = (name: string): readonly Issue[] =>
  NAME.test(name)
    ? []
    : [{ suffix: "", value: name, sentence: "a name has 1 to 64 letters, digits, underscores and dashes." }];

export const buildShared = (entries: readonly SharedEntry[]): readonly SharedConfig[] =>
  entries.map(({ name, values: { size, persist } }) => ({ name, size: size ?? 0, isPersistent: persist }));
