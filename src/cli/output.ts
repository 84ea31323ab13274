/**
 * Writing to stdout and stderr, for the commands of this folder.
 *
 * Synchronous on purpose: a reader that is slower than the channel (`sluice sub busy | slow`) then stops us
 * from reading the socket, TCP tells the server, and nothing piles up in this process. process.stdout would
 * queue without a limit and, with process.exit, lose the end of what was queued.
 */
import { writeSync } from "node:fs";

const STDOUT = 1;
const STDERR = 2;
/** A pipe set to non-blocking by whoever shares it answers EAGAIN when full; look again this much later. */
const RETRY_MS = 2;

/**
 * Thrown by writeOut when the reader of stdout went away (`sluice sub x | head -1`): the command ends, and
 * that is no fault.
 */
export class OutputClosed extends Error {
  constructor() {
    super("standard output was closed");
    this.name = "OutputClosed";
  }
}

const encoder = new TextEncoder();
const toBytes = (data: string | Uint8Array): Uint8Array =>
  typeof data === "string" ? encoder.encode(data) : data;

/** Writes all of it to stdout. Throws OutputClosed when nobody reads any more. */
export function writeOut(data: string | Uint8Array): void {
  if (!writeAll(STDOUT, toBytes(data))) throw new OutputClosed();
}

/** Writes all of it to stderr. A closed stderr is ignored: there is nobody left to tell. */
export function writeNote(text: string): void {
  writeAll(STDERR, encoder.encode(text));
}

/** False when the other end is closed. */
function writeAll(fd: number, bytes: Uint8Array): boolean {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done, bytes.length - done);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      // ECONNRESET: standard output may be a socket, which answers so when it is closed with bytes unread.
      if (code === "EPIPE" || code === "ECONNRESET") return false;
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
  return true;
}
