/**
 * The file that `error_log` sends a process's log to. Main and each worker have one open, all appending: a
 * line is one write(2), so lines of different processes do not mix.
 *
 * Links are followed, unlike those of a pid file: containers link log files to /dev/stderr, and what is
 * appended to a file of the user's own choice takes nothing away from it.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { log, sendLogTo } from "../../log.ts";

const { O_APPEND, O_CREAT, O_WRONLY } = constants;
/** Logs hold addresses and names: nothing for everybody's eyes. */
const MODE = 0o640;

export class LogFile {
  #path: string | null = null;
  #descriptor = -1;

  /**
   * The log goes to `path` from now on; null: to stderr. Throws, and changes nothing, when it cannot be
   * opened.
   */
  use(path: string | null): void {
    if (path === null && this.#path === null) return;
    const descriptor = path === null ? -1 : openSync(path, O_WRONLY | O_APPEND | O_CREAT, MODE);
    const old = this.#descriptor;
    this.#path = path;
    this.#descriptor = descriptor;
    sendLogTo(path === null ? null : (line) => this.#write(line));
    if (old >= 0) closeSync(old);
  }

  /**
   * After a rotation: the lines go to the file that has the name now. A file that cannot be opened leaves the
   * old one in use.
   */
  reopen(): void {
    try {
      this.use(this.#path);
    } catch (error) {
      log("error", `error_log: ${(error as Error).message}`);
    }
  }

  /** A full disk must not end the daemon; stderr may still reach somebody. */
  #write(line: string): void {
    try {
      writeSync(this.#descriptor, line);
    } catch (error) {
      process.stderr.write(`error_log: ${(error as Error).message}; ${line}`);
    }
  }
}
