/**
 * Which main process uses a store file: written at open, so that a second daemon on the same file is refused
 * instead of resetting slots and lock under the first. A pid alone is not enough, since pids are used again
 * after a restart or a reboot: the process's start time and the boot's id go with it. A file lock would need
 * bun:ffi.
 */
import { readFileSync } from "node:fs";
import type { Arena } from "../memory/arena.ts";
import { HEAD_MAIN_BIRTH, HEAD_MAIN_PID } from "../memory/layout-header.ts";

/** The main process that a file's header names, when it is alive and not this one; else 0. */
export function liveOwner(header: Uint32Array): number {
  const pid = header[HEAD_MAIN_PID]!;
  if (pid === 0 || pid === process.pid) return 0;
  const birth = birthOf(pid);
  return birth !== 0 && birth === header[HEAD_MAIN_BIRTH] ? pid : 0;
}

export function setOwner(arena: Arena): void {
  arena.u32[HEAD_MAIN_BIRTH] = birthOf(process.pid);
  arena.u32[HEAD_MAIN_PID] = process.pid;
}

/** Forgets this process as the owner; leaves another one alone. */
export function clearOwner(arena: Arena): void {
  if (arena.u32[HEAD_MAIN_PID] === process.pid) arena.u32[HEAD_MAIN_PID] = 0;
}

/** A number that two processes with the same pid do not share; 0 = no such process, or no /proc to ask. */
function birthOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
    // Behind the command name, which may hold anything, the start time is the 20th field.
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return Bun.hash.xxHash32(`${startTicks} ${boot}`) || 1;
  } catch {
    // No such process. Outside of Linux everybody looks dead, and the check does nothing.
    return 0;
  }
}
