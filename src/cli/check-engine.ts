/**
 * `sluice check --connect`: whether the engine of `[cluster]` can be reached and will do. Called by
 * program.ts before the rest of the check.
 */
import { askEngine } from "../cluster/start.ts";
import { loadConfig } from "../config/load.ts";
import { ExitCode } from "./failure.ts";

/** The exit code; what is wrong with the file itself is told by the check. */
export async function checkEngine(file: string): Promise<number> {
  const loaded = loadConfig({ file });
  if (!loaded.ok || !loaded.config.cluster) return ExitCode.OK;
  const outcome = await askEngine(loaded.config.cluster, null);
  if (outcome.kind === "ready") return ExitCode.OK;
  process.stderr.write(`${file}: ${outcome.sentence}\n`);
  return ExitCode.USAGE;
}
