/**
 * One main per store: an flock on `<store>.lock`, taken before the store is opened.
 *
 * The kernel drops the lock when the last copy of the open file is closed, so a `kill -9` leaves nothing
 * stale. Main hands the open file on to its workers (as descriptor 3, which they never look at): while one
 * worker of a killed main still lives and may write, the store stays locked, and the next main waits for it
 * instead of repairing memory under its feet.
 *
 * Rejected: a pid file (stale after a crash, and pids are reused) and a listening unix socket (checking and
 * taking are two steps). The pid written into the file only words the refusal; it decides nothing.
 */
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { openLibc } from "../../libc.ts";

const LOCK_EXCLUSIVE = 2;
const LOCK_NOT_BLOCKING = 4;
/** How long workers of a dead main may take to notice (they do so at once unless stopped or stuck). */
const ORPHANS_MS = 5000;
const POLL_MS = 20;

export type LockOutcome =
  | { readonly ok: true; readonly descriptor: number }
  | { readonly ok: false; readonly fault: string };

/** Locks the store at `storePath` for this process and its children, or says in one sentence who has it. */
export async function lockStore(storePath: string): Promise<LockOutcome> {
  const path = `${storePath}.lock`;
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    return { ok: false, fault: `store: cannot open ${path}: ${(error as Error).message}` };
  }
  const waitUntil = performance.now() + ORPHANS_MS;
  while (!flock(descriptor)) {
    const holder = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (isAlive(holder) || performance.now() > waitUntil) {
      closeSync(descriptor);
      return { ok: false, fault: refusal(storePath, holder) };
    }
    await Bun.sleep(POLL_MS);
  }
  ftruncateSync(descriptor, 0);
  writeSync(descriptor, `${process.pid}\n`, 0);
  return { ok: true, descriptor };
}

function refusal(storePath: string, holder: number): string {
  const who = isAlive(holder) ? `another sluice (pid ${holder})` : "a worker of an earlier sluice";
  const mend = "stop it, or give this one another listen address or store.path";
  return `store: ${who} is using ${storePath}; ${mend}`;
}

function flock(descriptor: number): boolean {
  const libc = openLibc({ flock: { args: ["i32", "i32"], returns: "i32" } } as const);
  const result = libc.symbols.flock(descriptor, LOCK_EXCLUSIVE | LOCK_NOT_BLOCKING);
  libc.close();
  return result === 0;
}

/** EPERM means alive and somebody else's. A zombie is dead, however slow its parent is to notice. */
function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // no /proc here, or gone this instant: then the lock is free a moment later
  }
}
