/**
 * Making a store file: where there was none, and in the place of one that cannot be used or has another
 * shape. Called by file.ts.
 *
 * The old file goes last. The new one is allocated, in full, beside it and renamed over it, so a machine
 * without the room keeps what it has. Where two do not fit but one does, as in a container's small /dev/shm,
 * the old file itself is made as long as the new one has to be, which is the last step that can fail, and
 * only then emptied.
 */
import { renameSync } from "node:fs";
import { beginLife } from "../life.ts";
import { MENDING, rebuild } from "../recovery/recover.ts";
import { beginService } from "../service.ts";
import { FIRST_SERIAL } from "../totals.ts";
import { type Arena, arenaOver } from "./arena.ts";
import { setAside, tidyAside } from "./aside.ts";
import { isOurs, writeIdentity } from "./header.ts";
import type { Layout } from "./layout.ts";
import { HEAD_RING_HEAD, HEADER_BYTES } from "./layout-header.ts";
import {
  allocateFile,
  closeFile,
  emptyFile,
  growFile,
  type MappableFile,
  mapFile,
  NoRoomError,
} from "./mapping.ts";

/**
 * Only when it is complete can the file be found. A link or foreign file at the path is replaced, not
 * followed.
 */
export function createStore(path: string, layout: Layout): Arena {
  const temporary = `${path}.new-${process.pid}`;
  const file = allocateFile(temporary, path, layout.size);
  const arena = format(file, temporary, path, layout);
  renameSync(temporary, path);
  return arena;
}

/** A good store of another size or shape (the configuration changed): its messages cannot stay. */
export function replaceOtherShape(path: string, layout: Layout, existing: MappableFile): Arena {
  try {
    const arena = createStore(path, layout);
    closeFile(existing);
    return arena;
  } catch (error) {
    if (error instanceof NoRoomError) return replaceInPlace(path, layout, existing);
    closeFile(existing);
    throw error;
  }
}

/**
 * A file we cannot read, or that is not ours: moved out of the way, unless it is a store of another version
 * of this program and there is no room for two. Without that an upgrade would fail at every start from then
 * on. `aside`: its new name, null = it is no more.
 */
export function replaceSetAside(
  path: string,
  layout: Layout,
  existing: MappableFile,
): { arena: Arena; aside: string | null; removed: readonly string[] } {
  const aside = setAside(path);
  // Those of earlier times make room first.
  const removed = tidyAside(path);
  try {
    const arena = createStore(path, layout);
    closeFile(existing);
    return { arena, aside, removed };
  } catch (error) {
    renameSync(aside, path);
    if (error instanceof NoRoomError && isOurs(existing))
      return { arena: replaceInPlace(path, layout, existing), aside: null, removed };
    closeFile(existing);
    throw error;
  }
}

function replaceInPlace(path: string, layout: Layout, existing: MappableFile): Arena {
  try {
    if (existing.size < layout.size) growFile(existing, path, layout.size);
  } catch (error) {
    closeFile(existing);
    throw error;
  }
  emptyFile(existing, layout.size);
  return format(existing, path, path, layout);
}

/**
 * Fills a file of zeros, whatever its header is: identity, first serial, and lists that hold every block and
 * record free.
 */
function format(file: MappableFile, name: string, path: string, layout: Layout): Arena {
  const arena = arenaOver(mapFile(file, name), layout, path, MENDING);
  const { u32 } = arena;
  u32.fill(0, 0, HEADER_BYTES / 4);
  writeIdentity(u32, layout);
  beginLife(u32);
  u32[HEAD_RING_HEAD] = FIRST_SERIAL;
  rebuild(arena);
  beginService(arena, file.inode, name);
  return arena;
}
