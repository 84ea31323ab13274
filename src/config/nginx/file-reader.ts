/**
 * Where the texts of a configuration come from: the disk, or a table in tests. include.ts asks; nothing else
 * of the parser touches the disk.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { globPaths } from "./glob.ts";

export interface FileReader {
  /**
   * The whole file. Throws an Error with a `code` (ENOENT …) when it cannot be read. Bytes need not be UTF-8.
   */
  read(path: string): Uint8Array | string;
  /** The absolute paths that match an absolute glob pattern, sorted. */
  glob(pattern: string): readonly string[];
}

/**
 * All files of one configuration together; a text longer than that is a mistake, such as a log in place of a
 * config.
 */
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

export const diskReader: FileReader = { read: readBounded, glob: globPaths };

/**
 * At most one byte over the limit, so that the caller sees that it is over; /dev/zero has no end, and no size
 * either.
 */
function readBounded(path: string): Uint8Array {
  // Not blocking: the open of a pipe would wait for its writer, and with it main, which watches the workers.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (stat.isFIFO()) throw new Error("it is a pipe");
    const { size } = stat; // a device tells 0, a folder fails in readSync with EISDIR
    const chunks: Uint8Array[] = [];
    let total = 0;
    while (total <= MAX_CONFIG_BYTES) {
      const chunk = new Uint8Array(Math.min(Math.max(size - total, 4096), MAX_CONFIG_BYTES + 1 - total));
      const length = readSync(file, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      total += length;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(file);
  }
}
