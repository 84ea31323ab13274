/**
 * Store files that could not be used and were moved out of the way, `<store>.aside-<milliseconds>`, and what
 * becomes of them: the newest one is kept for a week, for whoever goes back to an older version or wants to
 * look; every other one goes. Only what is a store of ours is ever removed: a stranger's file stays. Called
 * at each opening (file.ts), which reports what went.
 */
import { closeSync, lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isOurs } from "./header.ts";
import { openExisting } from "./mapping.ts";

const KEPT_MS = 7 * 24 * 3600 * 1000;

/** Moves the file at `path` out of the way: its name from now on. */
export function setAside(path: string): string {
  const aside = `${path}.aside-${Date.now()}`;
  renameSync(path, aside);
  return aside;
}

/** Removes what is not kept any longer: the names of what went. */
export function tidyAside(path: string, nowMs = Date.now()): readonly string[] {
  const [newest, ...older] = asidesOf(path).filter(({ name }) => isStore(name));
  if (newest === undefined) return [];
  const gone = nowMs - newest.sinceMs > KEPT_MS ? [newest, ...older] : older;
  for (const { name } of gone) rmSync(name, { force: true });
  return gone.map(({ name }) => name);
}

interface Aside {
  readonly name: string;
  readonly sinceMs: number;
}

/** Newest first. */
function asidesOf(path: string): readonly Aside[] {
  const start = `${basename(path)}.aside-`;
  const found: Aside[] = [];
  for (const name of namesIn(dirname(path))) {
    const since = name.startsWith(start) ? name.slice(start.length) : "";
    if (/^\d{1,15}$/.test(since)) found.push({ name: join(dirname(path), name), sinceMs: Number(since) });
  }
  return found.sort((a, b) => b.sinceMs - a.sinceMs);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // may be entered, but not listed
  }
}

function isStore(name: string): boolean {
  if (lstatSync(name, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    const file = openExisting(name);
    if (file === null) return false;
    if (file.fd >= 0) closeSync(file.fd);
    return isOurs(file);
  } catch {
    return false; // not ours to open
  }
}
