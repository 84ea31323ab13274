/** A configuration with all that can be known of it before it serves, its handler files included. Called by serve.ts and check.ts. */
import { type LoadOutcome, type LoadRequest, loadConfig } from "../config/load.ts";
import { checkHandlers } from "../handlers/check.ts";

export type CheckedOutcome = LoadOutcome & {
  /** Handler files and what they import: they change what is served as the configuration does. */
  readonly handlerFiles: readonly string[];
};

/** The faults of handler files are looked for when the configuration itself has none. */
export function loadCheckedConfig(request: LoadRequest): CheckedOutcome {
  const outcome = loadConfig(request);
  if (!outcome.ok) return { ...outcome, handlerFiles: [] };
  const { faults, files } = checkHandlers(outcome.config, request.file);
  return faults.length > 0 ? { ok: false, faults, handlerFiles: files } : { ...outcome, handlerFiles: files };
}
