/**
 * Files and memory: creating one with every page allocated, opening one without following links, mapping it.
 * Called by file only. Works on open descriptors throughout (mapped as /proc/self/fd/N), so that the file
 * that was checked is the file that is used, also in a folder that others can write to.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { HEAD_LAYOUT_VERSION, HEADER_BYTES } from "./layout-header.ts";

export interface MappableFile {
  readonly fd: number;
  readonly size: number;
  readonly inode: number;
  /** A copy of the header page's words; zeros where the file is shorter. */
  readonly header: Uint32Array;
  /**
   * Why this cannot be our file at all, as the end of a sentence; null = it may be. fd is -1 where it cannot
   * be opened.
   */
  readonly fault: string | null;
}

const ZEROS_BYTES = 1 << 20;
const NO_ROOM_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
/** statfs(2): what is in a file system of these types is gone when the machine is. */
const MEMORY_TYPES: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */]);

/** There is no room for a file of this size, now; nothing was changed. */
export class NoRoomError extends Error {}

/**
 * Opens what is at the path, if anything. Throws when it can neither be opened nor be something to put aside.
 */
export function openExisting(path: string): MappableFile | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return null;
    if (code === "ELOOP")
      return { fd: -1, size: 0, inode: 0, header: new Uint32Array(0), fault: "is a symbolic link" };
    throw new Error(`cannot open the store ${path}: ${code}`);
  }
  const stats = fstatSync(fd);
  const header = new Uint32Array(HEADER_BYTES / 4);
  let fault: string | null = null;
  if (!stats.isFile()) fault = "is not a plain file";
  else if (stats.uid !== process.getuid?.()) fault = "belongs to another user";
  else if ((stats.mode & 0o022) !== 0) fault = "can be written by other users";
  else if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) fault = `has only ${stats.size} bytes`;
  return { fd, size: stats.size, inode: stats.ino, header, fault };
}

export function closeFile(file: MappableFile): void {
  if (file.fd >= 0) closeSync(file.fd);
}

/**
 * A new file of zeros at `temporary`, mode 0600, never an existing one. Every page is written, because a hole
 * in the file would be a SIGBUS in some worker on the day memory runs out. Throws, and leaves nothing behind,
 * when there is no room now (NoRoomError).
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
    writeZeros(fd, 0, size);
    return { fd, size, inode: fstatSync(fd).ino, header: new Uint32Array(0), fault: null };
  } catch (error) {
    if (fd >= 0) {
      closeSync(fd);
      rmSync(temporary, { force: true });
    }
    throw creationFault(error, path, size);
  }
}

/**
 * Makes a file longer, every page allocated. Throws, and leaves it as it was, when there is no room
 * (NoRoomError).
 */
export function growFile({ fd, size }: MappableFile, path: string, newSize: number): void {
  try {
    writeZeros(fd, size, newSize);
  } catch (error) {
    ftruncateSync(fd, size);
    throw creationFault(error, path, newSize);
  }
}

/**
 * Overwrites everything behind the header of a store that has its room, and cuts it to `size`. Whoever dies
 * on the way leaves a store of no version: one that the next opening knows for ours, and may empty again.
 */
export function emptyFile({ fd }: MappableFile, size: number): void {
  writeSync(fd, new Uint32Array([0]), 0, 4, HEAD_LAYOUT_VERSION * 4);
  ftruncateSync(fd, size);
  writeZeros(fd, HEADER_BYTES, size);
}

/** Maps a whole file, shared with every process that maps it, and closes the descriptor. */
export function mapFile(file: MappableFile, path: string): Uint8Array<ArrayBuffer> {
  const byDescriptor = `/proc/self/fd/${file.fd}`;
  const bytes = Bun.mmap(existsSync(byDescriptor) ? byDescriptor : path, { shared: true });
  closeSync(file.fd);
  return bytes;
}

/** Whether what is kept at `path` (a file or folder that is there) goes with the machine's memory. */
export function isInMemory(path: string): boolean {
  try {
    return MEMORY_TYPES.has(statfsSync(path).type);
  } catch {
    return false; // not known to be: then it is treated as a disk, which costs a little and loses nothing
  }
}

function writeZeros(fd: number, from: number, to: number): void {
  const zeros = new Uint8Array(Math.max(0, Math.min(ZEROS_BYTES, to - from)));
  for (let at = from; at < to; ) at += writeSync(fd, zeros, 0, Math.min(zeros.length, to - at), at);
}

function creationFault(error: unknown, path: string, size: number): Error {
  const code = codeOf(error);
  const start = `cannot create the store ${path} of ${size} bytes`;
  return NO_ROOM_CODES.has(code)
    ? new NoRoomError(`${start}: there is not enough memory or disk space for it`)
    : new Error(`${start}: ${code}`);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);
