/**
 * `sluice install`: this executable as a service of systemd. Also the upgrade: a newer executable that
 * installs itself takes the old one's place, and the messages stay. Called by program.ts.
 */
import { readFileSync } from "node:fs";
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import { isNginx } from "../config/nginx/load.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { planInstall } from "./install-plan.ts";
import { Place } from "./installation-place.ts";
import { carryOut, describeSteps, explained } from "./installation-steps.ts";
import { CONFIG, UNIT } from "./installed-files.ts";
import { browsable } from "./listen-url.ts";
import { writeOut } from "./output.ts";
import { isBuilt } from "./version.ts";

export interface InstallOptions {
  readonly dryRun?: boolean;
  /** With dryRun: the texts of the files, too. */
  readonly contents?: boolean;
  readonly prefix?: string;
  readonly config?: string;
  /** commander's `--no-start`. */
  readonly start: boolean;
  readonly sysctl?: boolean;
}

/** Installs, or shows what it would do. Returns the exit code; throws CommandFailure. */
export function installCommand(options: InstallOptions): number {
  const place = new Place(options.prefix ?? "");
  const config = options.config === undefined ? undefined : checkedConfig(options.config);
  if (!options.dryRun) {
    if (!isBuilt())
      throw usageFault(
        "only a built executable can install itself: bun run build, then dist/sluice install.",
      );
    place.check("sluice install");
  }
  const { start, sysctl = false } = options;
  const steps = explained(() => planInstall(place, { binary: process.execPath, config, start, sysctl }));
  if (options.dryRun) {
    writeOut(describeSteps(steps, options.contents ?? false));
    return ExitCode.OK;
  }
  carryOut(steps, (line) => writeOut(`${line}\n`));
  if (steps.some((step) => step.kind === "write" && step.path.endsWith(".new")))
    writeOut(
      `${place.path(CONFIG)} is not the one that comes with this version; that one is ${CONFIG}.new\n`,
    );
  writeOut(closingWords(place, start));
  return ExitCode.OK;
}

function closingWords(place: Place, isStarted: boolean): string {
  if (!place.isMachine) return `laid down in ${place.prefix}\n`;
  if (!isStarted) return `installed; systemctl start ${UNIT}\n`;
  return `sluice is ready: ${urls(place).join("  ")}\n`;
}

/** Where it can be reached, by the configuration that is in force. */
function urls(place: Place): readonly string[] {
  const outcome = loadConfig({ file: place.path(CONFIG) });
  return outcome.ok ? outcome.config.listen.map(browsable) : [];
}

/**
 * The text of a configuration that the service would take. It is copied alone, so it has to be whole in
 * itself.
 */
function checkedConfig(file: string): string {
  const outcome = loadConfig({ file });
  if (!outcome.ok) {
    const faults = outcome.faults.map(formatFault).join("\n");
    throw new CommandFailure(ExitCode.USAGE, `${file} would be refused:\n${faults}`);
  }
  const text = readFileSync(file, "utf8");
  if (isNginx(file, text))
    throw usageFault(
      `${file} is an nginx.conf: sluice convert ${file} > sluice.toml, then --config sluice.toml.`,
    );
  return text;
}
