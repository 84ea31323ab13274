/**
 * Secrets of `[cluster]` by their place: "env:NAME" or "file:/path". Read at each connection, so a file may
 * be changed under way.
 */
import { readFileSync } from "node:fs";

/** undefined: none is configured. Throws with a sentence that does not hold the secret. */
export function readSecret(place: string | null): string | undefined {
  if (place === null) return undefined;
  if (place.startsWith("env:")) {
    const value = process.env[place.slice("env:".length)];
    if (value === undefined) throw new Error(`the environment has no ${place.slice("env:".length)}`);
    return value;
  }
  return readFileSync(place.slice("file:".length), "utf8").replace(/\r?\n$/, "");
}
