// What the kernel says about a process: CPU time and memory, read from /proc by every row.
// Read from outside, so that a slow client or a busy bench cannot distort a server's figure.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** USER_HZ: the unit of utime and stime in /proc/PID/stat, 100 on every Linux that Bun runs on. */
const TICK_US = 10_000;

export interface Memory {
  readonly rssBytes: number;
  /** The part that is neither a file nor shared: heap and stacks. */
  readonly anonymousBytes: number;
}

/** Fields of /proc/PID/stat from the state on; the command name before it may hold spaces and parentheses. */
function statFields(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** User and system time of all given processes, in microseconds, in steps of 10 ms per process. */
export function cpuUs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_US;
}

/**
 * The same to the nanosecond, from the scheduler's own account of each thread that still lives: where a
 * sample is so short that steps of 10 ms would be the noise. `named`: of the threads of that name.
 */
export function threadsCpuUs(pids: readonly number[], named?: string): number {
  let nanoseconds = 0;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const task = `/proc/${pid}/task/${thread}`;
      if (named !== undefined && readFileSync(`${task}/comm`, "utf8").trim() !== named) continue;
      nanoseconds += Number(readFileSync(`${task}/schedstat`, "utf8").split(" ", 1)[0]);
    }
  return nanoseconds / 1000;
}

/** Of the threads on which JavaScriptCore compiles; of a process without it 0. */
export const compilersCpuUs = (pids: readonly number[]): number => threadsCpuUs(pids, "JITWorker");

/** Processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const name of readdirSync("/proc")) {
    const candidate = Number(name);
    if (!Number.isInteger(candidate)) continue;
    try {
      if (Number(statFields(candidate)[1]) === pid) children.push(candidate);
    } catch {
      // It ended between readdir and read: then it is nobody's child any more.
    }
  }
  return children;
}

/** How many sockets a process has open. */
export function socketsOf(pid: number): number {
  let sockets = 0;
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${descriptor}`).startsWith("socket:")) sockets++;
    } catch {
      // Closed between readdir and readlink: not open, not counted.
    }
  }
  return sockets;
}

/**
 * Resident memory of all given processes together. The proportional set size is not read: it moves with every
 * other process that maps the same executable, which has nothing to do with connections.
 */
export function memoryOf(pids: readonly number[]): Memory {
  let rssBytes = 0;
  let anonymousBytes = 0;
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    rssBytes += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1]) * 1024;
    anonymousBytes += Number(/^Anonymous:\s+(\d+)/m.exec(text)?.[1]) * 1024;
  }
  return { rssBytes, anonymousBytes };
}

/**
 * Anonymous memory of all given processes from /proc/PID/status: cheap enough to look at every few
 * milliseconds.
 */
export function anonymousOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return sum + Number(/^RssAnon:\s+(\d+)/m.exec(text)?.[1]) * 1024;
  }, 0);
}

/** What the kernel's own objects take on the whole machine, sockets among them. */
export function slabBytes(): number {
  return Number(/^Slab:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}
