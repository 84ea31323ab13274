/**
 * A configuration with all that can be known of it before it serves, its handler files included. Called by
 * serve.ts and check.ts.
 */
import { checkAccess } from "../access/check.ts";
import { type LoadOutcome, type LoadRequest, loadConfig } from "../config/load.ts";
import { checkHandlers } from "../handlers/check.ts";
import { checkWebhooks } from "../webhooks/check.ts";

export type CheckedOutcome = LoadOutcome & {
  /** Handler files and what they import: they change what is served as the configuration does. */
  readonly handlerFiles: readonly string[];
};

/**
 * The faults of handler files come after those of the configuration itself, and do not wait for them to be
 * mended.
 */
export function loadCheckedConfig(request: LoadRequest): CheckedOutcome {
  const outcome = loadConfig(request);
  const code = outcome.ok ? outcome.config.locations : outcome.code;
  const { faults: codeFaults, files } = checkHandlers(code, request.file);
  const faults = outcome.ok
    ? [
        ...codeFaults,
        ...checkAccess(outcome.config, request.file),
        ...checkWebhooks(outcome.config, request.file),
      ]
    : codeFaults;
  if (outcome.ok && faults.length === 0) return { ...outcome, handlerFiles: files };
  const { warnings } = outcome;
  const all = outcome.ok ? faults : [...outcome.faults, ...faults];
  return {
    ok: false,
    faults: all,
    warnings,
    code,
    ways: outcome.ok ? [] : outcome.ways,
    handlerFiles: files,
  };
}
