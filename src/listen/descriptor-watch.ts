/**
 * Says so when a worker has no file descriptors left. Bun does not: accept(2) fails, its listener tries again
 * for as long as somebody waits in the backlog, and an operator sees connections that hang and a busy
 * processor without a word in the log. app.ts asks once a second; trying to open one is two system calls,
 * while counting /proc/self/fd would cost one for each connection.
 */
import { closeSync, openSync } from "node:fs";
import { log } from "../log.ts";

export class DescriptorWatch {
  #exhausted = false;

  /** One line when they run out, one when there are some again. */
  look(): void {
    const exhausted = !isOneLeft();
    if (exhausted === this.#exhausted) return;
    this.#exhausted = exhausted;
    if (exhausted) log("warn", "no file descriptors left; new connections wait until others close");
    else log("info", "file descriptors are free again");
  }
}

function isOneLeft(): boolean {
  try {
    closeSync(openSync("/", "r"));
    return true;
  } catch (error) {
    // Any other failure is about this file, not about descriptors.
    return !(
      error instanceof Error &&
      "code" in error &&
      (error.code === "EMFILE" || error.code === "ENFILE")
    );
  }
}
