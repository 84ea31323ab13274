/**
 * The file in which scripts find main's process id (nginx's `pid`). Written when everything serves, so that
 * whoever waits for it may go on; removed at the end. It decides nothing: who owns the store is a matter of
 * lock-file.ts.
 *
 * The folder may be one in which others can write: a link or a second name that somebody laid there
 * beforehand would let them choose which file is overwritten, so neither is written through. What is no plain
 * file (`pid /dev/null`) is never removed.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { log } from "../../log.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const MODE = 0o644;

export class PidFile {
  #path: string | null = null;
  readonly #content = `${process.pid}\n`;

  /**
   * Has the id in `path` (null: nowhere) and no longer where it was before. A fault instead when that cannot
   * be written.
   */
  moveTo(path: string | null): string | null {
    if (path === this.#path) return null;
    try {
      if (path !== null) this.#write(path);
    } catch (error) {
      return `pid_file: ${path} cannot be written: ${(error as Error).message}`;
    }
    this.remove();
    this.#path = path;
    return null;
  }

  /** Idempotent. A file that holds another id by now belongs to somebody else. */
  remove(): void {
    const path = this.#path;
    this.#path = null;
    if (path === null) return;
    try {
      if (this.#isOurs(path)) rmSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      log("warn", `pid_file: ${path} cannot be removed: ${(error as Error).message}`);
    }
  }

  /**
   * Whoever finds the file finds the id in it. Where the folder takes no new file, an old one is written
   * over.
   */
  #write(path: string): void {
    const found = lstatSync(path, { throwIfNoEntry: false });
    const isReplaceable = found === undefined || (found.isFile() && found.nlink === 1);
    if (!isReplaceable || !this.#replace(path)) this.#writeInto(path);
  }

  #replace(path: string): boolean {
    const fresh = `${path}.${process.pid}.new`;
    try {
      const descriptor = openSync(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE);
      try {
        writeSync(descriptor, this.#content);
      } finally {
        closeSync(descriptor);
      }
      renameSync(fresh, path);
      return true;
    } catch {
      // Why it cannot be, the other way tells with the path's own name.
      rmSync(fresh, { force: true });
      return false;
    }
  }

  #writeInto(path: string): void {
    // Not blocking: the open of a pipe would wait for its reader.
    const descriptor = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, MODE);
    try {
      const found = fstatSync(descriptor);
      if (found.isFile()) {
        if (found.nlink > 1) throw new Error("the file has a second name");
        ftruncateSync(descriptor, 0);
      }
      writeSync(descriptor, this.#content);
    } finally {
      closeSync(descriptor);
    }
  }

  #isOurs(path: string): boolean {
    const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const found = fstatSync(descriptor);
      if (!found.isFile() || found.size !== this.#content.length) return false;
      return readFileSync(descriptor, "latin1") === this.#content;
    } finally {
      closeSync(descriptor);
    }
  }
}
