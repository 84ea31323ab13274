/**
 * `sluice uninstall`: takes away what `sluice install` has laid down, this executable included; data only
 * with `--purge`. Called by program.ts.
 */
import { ExitCode } from "./failure.ts";
import { Place } from "./installation-place.ts";
import { carryOut, describeSteps, explained } from "./installation-steps.ts";
import { writeOut } from "./output.ts";
import { planUninstall } from "./uninstall-plan.ts";

export interface UninstallOptions {
  readonly dryRun?: boolean;
  readonly prefix?: string;
  readonly purge?: boolean;
}

/** Uninstalls, or shows what it would do. Returns the exit code; throws CommandFailure. */
export function uninstallCommand(options: UninstallOptions): number {
  const place = new Place(options.prefix ?? "");
  if (!options.dryRun) place.check("sluice uninstall");
  const steps = explained(() => planUninstall(place, options.purge ?? false));
  if (options.dryRun) writeOut(describeSteps(steps, false));
  else carryOut(steps, (line) => writeOut(`${line}\n`));
  return ExitCode.OK;
}
