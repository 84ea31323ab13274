/**
 * Handlers that are part of sluice: what the example pages use, so that they work without a file on disk.
 * Named "sluice:lines" where others have a path. Used by loader.ts and check.ts.
 */
import * as answer from "./built-in/answer.ts";
import * as echo from "./built-in/echo.ts";
import * as lines from "./built-in/lines.ts";
import * as upload from "./built-in/upload.ts";

const MODULES: ReadonlyMap<string, object> = new Map<string, object>([
  ["sluice:answer", answer],
  ["sluice:echo", echo],
  ["sluice:lines", lines],
  ["sluice:upload", upload],
]);

const PREFIX = "sluice:";

/** Whether an option names one of ours; it may still be one that does not exist. */
export const isBuiltIn = (path: string): boolean => path.startsWith(PREFIX);

/** The module, or undefined where there is none of that name. */
export const builtIn = (path: string): object | undefined => MODULES.get(path);

export const builtInNames = (): string => [...MODULES.keys()].join(", ");
