/**
 * What stands below the help of every command: examples and exit codes. Used where commands are described.
 */
import type { Command } from "commander";
import { stdoutStyle } from "./style.ts";

export const EXIT_CODES = `
Exit codes:
  0  done
  1  failed while running: refused, unreachable
  2  wrong usage, or a fault in the configuration
  3  a timeout came first`;

/** Examples and exit codes below the help of a command; what an example does stands behind it. */
export function examples(command: Command, lines: readonly (readonly [string, string])[]): void {
  const shown = lines.map(
    ([line, meaning]) => `  ${line.padEnd(meaning === "" ? 0 : 40)}${meaning && `  # ${meaning}`}`,
  );
  command.addHelpText(
    "after",
    () => `\n${stdoutStyle().bold("Examples:")}\n${shown.join("\n")}\n${EXIT_CODES}`,
  );
}
