/**
 * How much memory a process keeps, for tests that bound what clients cost it. What a process holds at one
 * moment has garbage in it, how much depends on when the collector last ran; so a bound is waited for, and
 * broken when it is not reached.
 */
import { readFileSync } from "node:fs";

import { until } from "./binary/running-server.ts";

const MIB = 2 ** 20;

/** Bytes of memory that are the process's own: the mapped store is not counted. */
export const ownBytes = (pid: number): number =>
  Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** Until the processes together keep less than this many bytes more than `before`. */
export async function keepsLess(pids: readonly number[], before: number, bytes: number): Promise<void> {
  const kept = (): number => pids.reduce((sum, pid) => sum + ownBytes(pid), 0) - before;
  let least = kept();
  try {
    await until("it is less", () => {
      least = Math.min(least, kept());
      return least < bytes;
    });
  } catch {
    throw new Error(
      `${(least / MIB).toFixed(1)} MiB are kept, not less than ${(bytes / MIB).toFixed(1)} MiB`,
    );
  }
}
