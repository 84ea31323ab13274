/**
 * How long a request head may be. Bun takes 16 KiB unless told otherwise, nginx four lines of 8 KiB; a path
 * of thousands of channels needs more than either. Called by listener.ts before the first server of the
 * process starts, as Bun has one number for all of them.
 */
import http from "node:http";

/** Longer ones get 431. */
export function allowHeads(maxBytes: number): void {
  // The types have it read-only; Bun does not.
  Reflect.set(http, "maxHeaderSize", maxBytes);
}
