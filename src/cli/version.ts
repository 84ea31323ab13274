/**
 * `sluice version`, and what this executable is. The build script defines the two constants (`bun build
 * --define`); started from source they do not exist, hence the `typeof`.
 */
import { version as packageVersion } from "../../package.json";
import { STORE_LAYOUT } from "../supervisor/store/store-layout.ts";
import { ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";

declare const SLUICE_VERSION: string;
declare const SLUICE_COMMIT: string;

export interface BuildInfo {
  readonly version: string;
  /** Git commit of the build; "unknown" when it was built without git, "source" when it was not built. */
  readonly commit: string;
  readonly bun: string;
  /** A store of another layout is migrated or set aside at the start. */
  readonly store_layout: number;
}

export const buildInfo = (): BuildInfo => ({
  version: typeof SLUICE_VERSION === "string" ? SLUICE_VERSION : packageVersion,
  commit: typeof SLUICE_COMMIT === "string" ? SLUICE_COMMIT : "source",
  bun: Bun.version,
  store_layout: STORE_LAYOUT,
});

/** Whether this is the compiled executable, not the source run by bun. */
export const isBuilt = (): boolean => typeof SLUICE_COMMIT === "string";

/** "sluice 0.1.0 (abc1234, bun 1.4.4)". */
export function versionText(): string {
  const { version, commit, bun } = buildInfo();
  return `sluice ${version} (${commit}, bun ${bun})`;
}

/** Prints one line and returns the exit code. */
export function versionCommand(options: { readonly json?: boolean }): number {
  writeOut(`${options.json ? JSON.stringify(buildInfo()) : versionText()}\n`);
  return ExitCode.OK;
}
