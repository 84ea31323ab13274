/**
 * Files and memory: creating one with every page allocated, opening one without following links, mapping it. Called by file
 * only. Works on open descriptors throughout (mapped as /proc/self/fd/N), so that the file that was checked is the file that
 * is used, also in a folder that others can write to.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { HEADER_BYTES } from "./layout.ts";

export interface MappableFile {
  readonly fd: number;
  readonly size: number;
  /** A copy of the header page's words; zeros where the file is shorter. */
  readonly header: Uint32Array;
  /** Why this cannot be our file at all, as the end of a sentence; null = it may be. fd is -1 where it cannot be opened. */
  readonly fault: string | null;
}

const ZEROS_BYTES = 1 << 20;

/** Opens what is at the path, if anything. Throws when it can neither be opened nor be something to put aside. */
export function openExisting(path: string): MappableFile | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return null;
    if (code === "ELOOP") return { fd: -1, size: 0, header: new Uint32Array(0), fault: "is a symbolic link" };
    throw new Error(`cannot open the store ${path}: ${code}`);
  }
  const stats = fstatSync(fd);
  const header = new Uint32Array(HEADER_BYTES / 4);
  let fault: string | null = null;
  if (!stats.isFile()) fault = "is not a plain file";
  else if (stats.uid !== process.getuid?.()) fault = "belongs to another user";
  else if ((stats.mode & 0o022) !== 0) fault = "can be written by other users";
  else if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) fault = `has only ${stats.size} bytes`;
  return { fd, size: stats.size, header, fault };
}

export function closeFile(file: MappableFile): void {
  if (file.fd >= 0) closeSync(file.fd);
}

/**
 * A new file of zeros at `temporary`, mode 0600, never an existing one. Every page is written, because a hole in the file would
 * be a SIGBUS in some worker on the day memory runs out. Throws, and leaves nothing behind, when there is no room now.
 */
export function allocateFile(temporary: string, path: string, size: number): MappableFile {
  // A leftover of a process that had our pid and died here.
  rmSync(temporary, { force: true });
  let fd = -1;
  try {
    fd = openSync(
      temporary,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    const zeros = new Uint8Array(ZEROS_BYTES);
    for (let written = 0; written < size; ) {
      written += writeSync(fd, zeros, 0, Math.min(zeros.length, size - written));
    }
  } catch (error) {
    if (fd >= 0) {
      closeSync(fd);
      rmSync(temporary, { force: true });
    }
    const code = codeOf(error);
    const why = code === "ENOSPC" ? "there is not enough memory or disk space for it" : code;
    throw new Error(`cannot create the store ${path} of ${size} bytes: ${why}`);
  }
  return { fd, size, header: new Uint32Array(0), fault: null };
}

/** Maps a whole file, shared with every process that maps it, and closes the descriptor. */
export function mapFile(file: MappableFile, path: string): Uint8Array<ArrayBuffer> {
  const byDescriptor = `/proc/self/fd/${file.fd}`;
  const bytes = Bun.mmap(existsSync(byDescriptor) ? byDescriptor : path, { shared: true });
  closeSync(file.fd);
  return bytes;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);
