/**
 * `sluice check FILE`: says whether `serve` would take the file, without starting anything. Also what a
 * systemd unit runs before the start.
 */
import { readFileSync } from "node:fs";
import { channelRecords } from "../config/checks/store-checks.ts";
import { formatFault, formatWarning } from "../config/fault.ts";
import type { DoorReason } from "../config/model/server.ts";
import { isNginx } from "../config/nginx/load.ts";
import { pointlessSync } from "../supervisor/store/store-settings.ts";
import { loadCheckedConfig } from "./checked-config.ts";

const EXIT_OK = 0;
const EXIT_BAD_CONFIG = 2;

/**
 * Prints one OK line to stdout, or every fault on a line of its own to stderr. On stderr it also tells what
 * may be a mistake and, of an nginx.conf, what is left out and what to know. Returns the exit code: 0, or 2
 * for faults.
 */
export function checkCommand(file: string, { foreign }: { readonly foreign?: string } = {}): number {
  const outcome = loadCheckedConfig({ file, foreign });
  for (const warning of outcome.warnings) process.stderr.write(`${formatWarning(warning)}\n`);
  if (outcome.ok) {
    const pointless = pointlessSync(outcome.config, process.env);
    const notes = [...outcome.remarks, ...(pointless === null ? [] : [pointless])];
    for (const note of notes) process.stderr.write(`${file}: ${note}\n`);
    const { listen, listeners, workers, locations, store } = outcome.config;
    const records = channelRecords(store.size, store.channels);
    process.stdout.write(
      `${file}: OK (listen ${listen.join(" ")}, ${counted(workers, "worker")}, ` +
        `${counted(locations.length, "location")}, room for ${counted(records, "channel")})\n`,
    );
    for (const { address, door, doorReason } of listeners)
      process.stdout.write(`  ${address}: ${door} listener (${reason(doorReason, file)})\n`);
    return EXIT_OK;
  }
  for (const fault of outcome.faults) process.stderr.write(`${formatFault(fault)}\n`);
  process.stderr.write(`${file}: ${counted(outcome.faults.length, "fault")}\n`);
  for (const line of outcome.ways) process.stderr.write(`${line}\n`);
  return EXIT_BAD_CONFIG;
}

/** Why an address has the door it has (docs/doors.md). */
function reason(doorReason: DoorReason, file: string): string {
  switch (doorReason) {
    case "server":
      return "listener of a server there";
    case "file":
      return isNginx(file, readFileSync(file, "utf8")) ? "an nginx.conf" : "listener at the top of the file";
    case "http2":
      return "ssl with http2";
    case "h2c":
      return "h2c";
    case "certificates":
      return "several certificates";
    case "compression":
      return "websocket_compression";
    case "default":
      return "the default";
  }
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
