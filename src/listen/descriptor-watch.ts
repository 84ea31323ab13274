/**
 * Says so when a worker has no file descriptors left, and sees to it that it does not spin. Bun says nothing:
 * accept(2) fails, its listener tries again for as long as somebody waits in the backlog, and an operator
 * sees connections that hang and a busy processor without a word in the log. So the doors are left alone
 * until there are descriptors again. app.ts asks once a second; trying to open one is two system calls, while
 * counting /proc/self/fd would cost one for each connection.
 */
import { closeSync, openSync } from "node:fs";
import { log } from "../log.ts";
import type { Doors } from "./doors.ts";

/** Whoever waited may have taken all that was free. */
const LOOK_AGAIN_MS = 20;

export class DescriptorWatch {
  readonly #doors: Doors | undefined;
  #exhausted = false;

  constructor(doors: Doors | undefined) {
    this.#doors = doors;
  }

  /** One line when they run out, one when there are some again. */
  look(): void {
    const exhausted = !isOneLeft();
    this.#doors?.park(exhausted);
    if (exhausted === this.#exhausted) return;
    if (!exhausted) setTimeout(() => this.#doors?.park(!isOneLeft()), LOOK_AGAIN_MS).unref();
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
