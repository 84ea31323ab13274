// Runs one of the load clients in this folder that do a single job, and reads the line of JSON it prints.
// Used by the rows with handlers and with TLS.

import { join } from "node:path";

/** A client that waits longer has lost an answer. */
const GIVE_UP_MS = 120_000;

export async function runClient(
  client: string,
  ...args: readonly (string | number)[]
): Promise<Record<string, number>> {
  const command = [process.execPath, join(import.meta.dir, client), ...args.map(String)];
  const child = Bun.spawn(command, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    timeout: GIVE_UP_MS,
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${client} ended with ${child.exitCode}`);
  return JSON.parse(text);
}
