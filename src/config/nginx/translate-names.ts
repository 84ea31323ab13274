/**
 * Variables that mean the same for every request of a server: `$server_name`, `$server_port`, `$hostname`. Our own file has none of them, so
 * their values are written in their place. Used by the other translate-*.ts wherever a text may have variables.
 */
import { hostname } from "node:os";
import { inEffect, type Scope } from "./translate-scope.ts";

const CONSTANT = /\$(?:\{(server_name|server_port|hostname)\}|(server_name|server_port|hostname)\b)/gi;

/** What does not mean one thing (the port of a server with two) is left as it is, and then is an unknown variable. */
export function constantsIn(scope: Scope): (text: string) => string {
  const values: Readonly<Record<string, string | null>> = {
    server_name: inEffect(scope, "server_name")[0]?.args[0]?.text ?? "",
    server_port: portOf(scope),
    hostname: hostname(),
  };
  return (text) =>
    text.replace(CONSTANT, (whole, braced: string | undefined, bare: string | undefined) => {
      const value = values[(braced ?? bare ?? "").toLowerCase()] ?? null;
      return value === null || value.includes("$") ? whole : value;
    });
}

function portOf(scope: Scope): string | null {
  const ports = inEffect(scope, "listen").map(({ args }) => /(?:^|:)(\d+)$/.exec(args[0]?.text ?? "")?.[1]);
  return new Set(ports).size === 1 ? (ports[0] ?? null) : null;
}
