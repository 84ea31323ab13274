/**
 * `sluice check FILE`: says whether `serve` would take the file, without starting anything. Also what a systemd unit runs
 * before the start.
 */
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";

const EXIT_OK = 0;
const EXIT_BAD_CONFIG = 2;

/** Prints one OK line to stdout, or every fault on a line of its own to stderr. Returns the exit code: 0, or 2 for faults. */
export function checkCommand(file: string): number {
  const outcome = loadConfig({ file });
  if (outcome.ok) {
    const { listen, workers, locations } = outcome.config;
    process.stdout.write(
      `${file}: OK (listen ${listen.join(" ")}, ${counted(workers, "worker")}, ${counted(locations.length, "location")})\n`,
    );
    return EXIT_OK;
  }
  for (const fault of outcome.faults) process.stderr.write(`${formatFault(fault)}\n`);
  process.stderr.write(`${file}: ${counted(outcome.faults.length, "fault")}\n`);
  return EXIT_BAD_CONFIG;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
