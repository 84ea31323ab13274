/**
 * The two ends of a file's time in service, by main alone: what is true before the first worker comes, and
 * what may be said when the last has gone. Between them the file says that it was not closed, on the disk,
 * too, before anything else of it changes there.
 */

import { signLife } from "./life.ts";
import { JOURNAL_KIND, NOTHING } from "./lock/journal.ts";
import { setOwner } from "./lock/owner.ts";
import { type Arena, wide } from "./memory/arena.ts";
import { writeChecksum } from "./memory/checksum.ts";
import { flushNow } from "./memory/flush.ts";
import {
  CLOSED,
  HEAD_CLEAN,
  HEAD_INODE,
  HEAD_LOCK,
  HEAD_ON_DISK,
  HEAD_REPLACED,
  HEAD_STARTED_SEC,
} from "./memory/layout-header.ts";
import { isInMemory } from "./memory/mapping.ts";

/**
 * `path` is where the file is now; arena.path where it is going to be. The workers of before are openStore's
 * affair.
 */
export function beginService(arena: Arena, inode: number, path = arena.path): void {
  const { u32 } = arena;
  const wasClosed = u32[HEAD_CLEAN] !== 0;
  Atomics.store(u32, HEAD_LOCK, 0);
  u32[HEAD_STARTED_SEC] = Math.floor(Date.now() / 1000);
  u32[HEAD_REPLACED] = 0;
  u32[HEAD_CLEAN] = 0;
  u32[HEAD_ON_DISK] = isInMemory(path) ? 0 : 1;
  signLife(u32, inode);
  setOwner(arena);
  // A power cut from here on must not find "closed in order" beside half of what follows.
  if (wasClosed) flushNow(arena);
}

/**
 * The next open may trust the links: everything is on the disk before the word that says so, and that before
 * anybody relies on it.
 */
export function endService(arena: Arena): void {
  if (arena.u32[JOURNAL_KIND] !== NOTHING) throw new Error("its lists were being made anew");
  flushNow(arena);
  writeChecksum(arena);
  arena.u32[HEAD_CLEAN] = CLOSED;
  flushNow(arena);
}

export const isOnDisk = ({ u32 }: Arena): boolean => u32[HEAD_ON_DISK] === 1;

export const inodeOf = ({ u32 }: Arena): number => wide(u32, HEAD_INODE);
