/**
 * `sluice defaults`: prints the embedded configuration with every option explained, as a file to start from.
 */
import { DEFAULT_TOML } from "../config/load.ts";
import { renderDefaults } from "../config/print.ts";

/** Returns the exit code, 0. */
export function defaultsCommand(): number {
  process.stdout.write(renderDefaults(DEFAULT_TOML));
  return 0;
}
