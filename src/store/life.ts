/**
 * Which life a store file is in: whether a position that was given out earlier still means the same message.
 * Decided by file.ts at each opening. The epoch is part of every position, so a file that may have lost what
 * was seen gets a new one, and who comes with an old position is told.
 *
 *   closed in order, whole, the same file           the same life
 *   not closed, same boot, the same file            the same life: every write reached the page cache,
 *                                                   whoever was killed
 *   not closed, another boot (or none is known)     another: pages that were never written back are old
 *   another file (restored from a copy)             another: what was published since the copy was made is
 *                                                   gone
 */
import { readFileSync } from "node:fs";
import { setWide, wide } from "./memory/arena.ts";
import { HEAD_BOOT, HEAD_EPOCH, HEAD_INODE } from "./memory/layout-header.ts";

/** 2020-01-01, where the seconds in an epoch begin. */
const EPOCH_START_SEC = 1577836800;

/** Whether the file was last used since the machine came up. What cannot be known counts as no. */
export function isOfThisBoot(header: Uint32Array): boolean {
  const mark = bootMark();
  return mark !== 0 && header[HEAD_BOOT] === mark;
}

/** A copy has another inode, whatever else it shares with the original. */
export const isSameFile = (header: Uint32Array, inode: number): boolean => wide(header, HEAD_INODE) === inode;

/** Says that the file is in service here and now. */
export function signLife(u32: Uint32Array, inode: number): void {
  u32[HEAD_BOOT] = bootMark();
  setWide(u32, HEAD_INODE, inode);
}

/** Seconds since 2020 and 22 random bits: below 2^53 until 2088, and different for stores created at once. */
export function beginLife(u32: Uint32Array): void {
  const [salt] = crypto.getRandomValues(new Uint32Array(1));
  setWide(u32, HEAD_EPOCH, Math.floor(Date.now() / 1000 - EPOCH_START_SEC) * 0x400000 + (salt! >>> 10));
}

/** 0: nobody can tell. */
function bootMark(): number {
  try {
    return Bun.hash.xxHash32(readFileSync("/proc/sys/kernel/random/boot_id", "latin1")) || 1;
  } catch {
    return 0; // no Linux, or no /proc
  }
}
