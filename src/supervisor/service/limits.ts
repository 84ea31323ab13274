/**
 * How many files this process may open, and what that means for connections. Main asks once; workers inherit
 * the limit.
 *
 * Bun raises the soft limit to the hard one when it starts, so what /proc says is what we have. It is read
 * from /proc/self/limits rather than asked of getrlimit, because a container's runtime may clamp it in
 * silence and /proc tells.
 */
import { readFileSync } from "node:fs";
import { log } from "../../log.ts";

/**
 * Descriptors a worker needs beside its connections: store, bells, IPC, standard streams, the runtime's own.
 */
const RESERVED_DESCRIPTORS = 64;
/** Where there is no /proc: what every unix grants. */
const FALLBACK_LIMIT = 1024;
const UNLIMITED = 1_048_576;

/** The limit of open files of this process. */
export function descriptorLimit(): number {
  let table: string;
  try {
    table = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return FALLBACK_LIMIT;
  }
  const soft = /^Max open files\s+(\S+)/m.exec(table)?.[1];
  if (soft === "unlimited") return UNLIMITED;
  const limit = Number(soft);
  return Number.isSafeInteger(limit) && limit > 0 ? limit : FALLBACK_LIMIT;
}

/**
 * Connections a worker may hold: the configured number (0 = as many as fit), never more than the descriptors
 * allow, so that the 503 of the connection limit comes before accept(2) fails with EMFILE. The runtime
 * survives that, but its event loop spins for as long as somebody waits in the backlog (seen on Bun 1.4.4).
 */
export function connectionLimit(configured: number, descriptors: number): number {
  const fits = descriptors - Math.min(RESERVED_DESCRIPTORS, Math.floor(descriptors / 2));
  return configured === 0 ? fits : Math.min(configured, fits);
}

/** The same, with a line in the log when it is less than was asked for. */
export function usableConnections(configured: number, descriptors: number): number {
  const used = connectionLimit(configured, descriptors);
  if (configured > used) {
    log("warn", "limits.max_connections is more than the limit of open files allows", {
      max_connections: configured,
      open_files: descriptors,
      used,
    });
  }
  return used;
}
