/**
 * `sluice defaults`: prints every option with its documentation and default, as a file to start from.
 */
import { renderDefaults } from "../config/print.ts";

/** Returns the exit code, 0. */
export function defaultsCommand(): number {
  process.stdout.write(renderDefaults());
  return 0;
}
