/**
 * How long a request head may be. Bun takes 16 KiB unless told otherwise, nginx four lines of 8 KiB; a path of thousands of channels needs
 * more than either. Called by listener.ts before the first server of the process starts, as Bun has one number for all of them.
 */
import http from "node:http";

/** A path of 65,535 bytes and the rest of a head. Longer ones get 431. */
const MAX_HEAD_BYTES = 80 * 1024;

export function allowLongHeads(): void {
  // The types have it read-only; Bun does not.
  Reflect.set(http, "maxHeaderSize", MAX_HEAD_BYTES);
}
