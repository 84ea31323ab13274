/**
 * Which store files lie in a folder, in use or left by a server that stopped. For `sluice stats`, by way of
 * supervisor/store/store-files.ts.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { liveOwner } from "../lock/owner.ts";
import { isOurs } from "./header.ts";
import { closeFile, openExisting } from "./mapping.ts";

export interface StoreFile {
  readonly path: string;
  readonly bytes: number;
  /** The main process that has it, 0 = nobody. */
  readonly mainPid: number;
}

/** A folder with more than a person would read is not ours alone. */
const MOST_NAMES = 1000;

export function storeFilesIn(folder: string): readonly StoreFile[] {
  const found: StoreFile[] = [];
  for (const name of namesIn(folder).slice(0, MOST_NAMES).sort()) {
    const file = storeFileAt(join(folder, name));
    if (file !== null) found.push(file);
  }
  return found;
}

function storeFileAt(path: string): StoreFile | null {
  try {
    const file = openExisting(path);
    if (file === null) return null;
    closeFile(file);
    return isOurs(file) ? { path, bytes: file.size, mainPid: liveOwner(file.header) } : null;
  } catch {
    return null; // not ours to open, or a socket
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not there, or not ours to see
  }
}
