/**
 * Files as they lie on the disk, with what was learned of them: size, time, whether they are where they may
 * be, and the bytes of small ones. Called by endpoint.ts, once or more for each request.
 *
 * Each request costs one stat(2); the rest is remembered as long as that says the same file. Synchronous
 * calls: of a local file they take microseconds, a round through the runtime's threads takes thirty.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";

export interface FoundFile {
  readonly kind: "file";
  /** As it was looked for. */
  readonly name: string;
  /** All links resolved. */
  readonly path: string;
  readonly size: number;
  readonly mtimeSec: number;
  /** null: too large to be kept. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
}

export type Found =
  | FoundFile
  | { readonly kind: "folder" }
  /** There is none, or none that could be served (404). */
  | { readonly kind: "missing" }
  /** Not readable, or a link that leads out of the folder (403). */
  | { readonly kind: "forbidden" };

const FOLDER: Found = { kind: "folder" };
const MISSING: Found = { kind: "missing" };
const FORBIDDEN: Found = { kind: "forbidden" };

const SMALL_BYTES = 64 * 1024;
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
const MAX_KEPT_FILES = 2000;
const MISSING_CODES: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "EINVAL"]);
const FORBIDDEN_CODES: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "ELOOP"]);

interface Kept {
  readonly identity: Stats;
  readonly found: FoundFile;
}

export class Disk {
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;

  /**
   * Looks `file` up, which must lie in `folder` when all links are resolved. Throws what is no fault of the
   * request (EIO …).
   */
  look(folder: string, file: string): Found {
    try {
      const stat = statSync(file);
      if (stat.isDirectory()) return isInside(folder, realpathSync(file)) ? FOLDER : FORBIDDEN;
      // A pipe or device has no end that could be sent.
      if (!stat.isFile()) return MISSING;
      const kept = this.#kept.get(file);
      if (kept !== undefined && isSame(kept.identity, stat)) return kept.found;
      return this.#read(folder, file);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (MISSING_CODES.has(code)) return MISSING;
      if (FORBIDDEN_CODES.has(code)) return FORBIDDEN;
      throw error;
    }
  }

  #read(folder: string, file: string): Found {
    const path = realpathSync(file);
    if (!isInside(folder, path)) return FORBIDDEN;
    // The resolved path again, and no link at its end: the one that was judged is the one that is read.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(descriptor);
      if (!stat.isFile()) return MISSING;
      const bytes = stat.size <= SMALL_BYTES ? readAll(descriptor, stat.size) : null;
      const size = bytes?.length ?? stat.size;
      const found = {
        kind: "file",
        name: file,
        path,
        size,
        mtimeSec: Math.floor(stat.mtimeMs / 1000),
        bytes,
      } as const;
      this.#keep(file, { identity: stat, found });
      return found;
    } finally {
      closeSync(descriptor);
    }
  }

  #keep(file: string, kept: Kept): void {
    this.#drop(file);
    for (const [oldest] of this.#kept) {
      if (this.#keptBytes < MAX_KEPT_BYTES && this.#kept.size < MAX_KEPT_FILES) break;
      this.#drop(oldest);
    }
    this.#kept.set(file, kept);
    this.#keptBytes += kept.found.bytes?.length ?? 0;
  }

  #drop(file: string): void {
    this.#keptBytes -= this.#kept.get(file)?.found.bytes?.length ?? 0;
    this.#kept.delete(file);
  }
}

/** Links in the folder's own name are the administrator's; what it resolves to is the border. */
function isInside(folder: string, path: string): boolean {
  const border = realpathSync(folder);
  return path === border || path.startsWith(border.endsWith("/") ? border : `${border}/`);
}

/** The time of the last change of the inode moves with every write and every chmod. */
const isSame = (left: Stats, right: Stats): boolean =>
  left.ino === right.ino &&
  left.dev === right.dev &&
  left.size === right.size &&
  left.mtimeMs === right.mtimeMs &&
  left.ctimeMs === right.ctimeMs;

/** Fewer bytes when the file shrank meanwhile. */
function readAll(descriptor: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, size, 0));
}
