// The configuration that the bench gives sluice: sluice.toml, for one of its two doors, with what a row
// changes. Used by sluice.ts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Certificate } from "./certificate.ts";

/** How an address is listened on: Bun.serve, or our own HTTP over bare sockets. */
export type Door = "native" | "wire";

export const DOORS: readonly Door[] = ["native", "wire"];

export interface ConfigOptions {
  readonly listen: string;
  readonly door: Door;
  readonly certificate?: Certificate | undefined;
  /** Between two pings of a held connection. */
  readonly pingSec?: number | undefined;
  readonly console?: boolean | undefined;
}

const CONSOLE = '\n[[location]]\nmatch = "/console/"\nconsole = true\n';

export function configuration({
  listen,
  door,
  certificate,
  pingSec = 60,
  console = false,
}: ConfigOptions): string {
  const usual = readFileSync(join(import.meta.dir, "sluice.toml"), "utf8").replaceAll(
    'ping_message_interval = "60s"',
    `ping_message_interval = "${pingSec}s"`,
  );
  const locations = console ? usual + CONSOLE : usual;
  const top = `listener = "${door}"\n`;
  if (certificate === undefined) return `listen = ["${listen}"]\n${top}${locations}`;
  const first = [
    "[[server]]",
    `listen = ["${listen} ssl"]`,
    `tls_certificate = "${certificate.chain}"`,
    `tls_certificate_key = "${certificate.key}"`,
    "",
    "[[server.location]]",
  ].join("\n");
  // The server's own lines come before its first location.
  const below = locations.replaceAll("[[location]]", "[[server.location]]");
  return `${top}${below.replace("[[server.location]]", first)}`;
}
