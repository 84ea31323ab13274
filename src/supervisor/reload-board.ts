/**
 * A notice of main's reloads, for `sluice reload` (cli/reload.ts), which sends the signal and wants to know
 * what became of it: one small file for each main, `main-<pid>.json`, in $RUNTIME_DIRECTORY or the private
 * folder of its user (paths.ts). A reload that began after the reader looked has a higher number than the one
 * it saw, so nobody takes the outcome of an earlier one for theirs.
 *
 * A file, because a command that systemd starts beside the service has little more in common with it than the
 * folder: with PrivateUsers= it may not even look into main's /proc. The file is also what makes the command
 * safe: HUP ends most programs, so it goes to nobody who has no notice with his own pid and time of birth.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log } from "../log.ts";
import { placeForFiles, privateFolderOf, SHARED_MEMORY } from "./store/paths.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface Notice {
  readonly pid: number;
  /** Tells processes apart that had the same pid one after the other. */
  readonly birth: string;
  /** Number of the last reload that began, and of the last that is through; 0 = none yet. */
  readonly begun: number;
  readonly ended: number;
  /** Of the last that is through: why it was refused; empty when it was not. */
  readonly faults: readonly string[];
}

const FILE_NAME = /^main-(\d{1,10})\.json$/;
const MAX_BYTES = 65_536;
const MAX_FAULTS = 50;
const MAX_FAULT_LENGTH = 1000;

export class ReloadBoard {
  #path: string | null = null;
  #notice: Notice = { pid: process.pid, birth: birthOf(process.pid), begun: 0, ended: 0, faults: [] };

  /**
   * Main serves and takes reloads. Where no folder is to be had, there is no notice, and `sluice reload` says
   * that.
   */
  open(environment: Environment): void {
    const folder = placeForFiles(environment);
    if (!folder.ok) return;
    removeStale(folder.path);
    this.#path = join(folder.path, `main-${process.pid}.json`);
    this.#write();
  }

  begin(): void {
    this.#notice = { ...this.#notice, begun: this.#notice.begun + 1 };
    this.#write();
  }

  end(faults: readonly string[]): void {
    const shown = faults.slice(0, MAX_FAULTS).map((fault) => fault.slice(0, MAX_FAULT_LENGTH));
    this.#notice = { ...this.#notice, ended: this.#notice.begun, faults: shown };
    this.#write();
  }

  /** Idempotent. */
  remove(): void {
    if (this.#path !== null) rmSync(this.#path, { force: true });
    this.#path = null;
  }

  /** A reader sees the old notice or the new one. */
  #write(): void {
    if (this.#path === null) return;
    const unfinished = `${this.#path}.new`;
    try {
      rmSync(unfinished, { force: true });
      writeFileSync(unfinished, JSON.stringify(this.#notice), { mode: 0o600, flag: "wx" });
      renameSync(unfinished, this.#path);
    } catch (error) {
      log("warn", `the notice for "sluice reload" cannot be written: ${(error as Error).message}`);
    }
  }
}

/** Those of mains that were killed. */
function removeStale(folder: string): void {
  for (const name of namesIn(folder)) {
    const pid = Number(FILE_NAME.exec(name)?.[1] ?? 0);
    if (pid > 0 && pid !== process.pid && birthOf(pid) === "") rmSync(join(folder, name), { force: true });
  }
}

/** The notice of a living main; null when there is none that this user can see. */
export function readNotice(pid: number, environment: Environment): Notice | null {
  const birth = birthOf(pid);
  const uid = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  if (birth === "" || uid === undefined) return null;
  for (const folder of [
    ...runtimeFolders(environment),
    ...runtimeFolders(environmentOf(pid)),
    ...homes(uid),
  ]) {
    const notice = readFile(join(folder, `main-${pid}.json`), uid);
    if (notice?.pid === pid && notice.birth === birth) return notice;
  }
  return null;
}

/**
 * The mains this user's commands can find without being told a pid. A command that a service runs means that
 * service: whoever else the user has serving is not asked about.
 */
export function findMains(environment: Environment): readonly number[] {
  const own = mainsIn(runtimeFolders(environment), environment);
  return own.length > 0 ? own : mainsIn(homes(process.getuid?.() ?? 0), environment);
}

function mainsIn(folders: readonly string[], environment: Environment): readonly number[] {
  const found = new Set<number>();
  for (const folder of folders) {
    for (const name of namesIn(folder)) {
      const pid = Number(FILE_NAME.exec(name)?.[1] ?? 0);
      if (pid > 0 && readNotice(pid, environment) !== null) found.add(pid);
    }
  }
  return [...found];
}

const runtimeFolders = (environment: Environment): readonly string[] =>
  (environment["RUNTIME_DIRECTORY"] ?? "").split(":").filter((path) => path.startsWith("/"));

const homes = (uid: number): readonly string[] =>
  [SHARED_MEMORY, tmpdir()].map((parent) => privateFolderOf(parent, uid));

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not there, or not ours to see
  }
}

/** For root, who asks about the service of another user. */
function environmentOf(pid: number): Environment {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const runtime = entries.find((entry) => entry.startsWith("RUNTIME_DIRECTORY="));
    return { RUNTIME_DIRECTORY: runtime?.slice("RUNTIME_DIRECTORY=".length) };
  } catch {
    return {}; // not ours to see
  }
}

/**
 * What lies in a folder of somebody else is believed only when it is of the user whose process it is about.
 */
function readFile(path: string, uid: number): Notice | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null; // not there, or not ours to see
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile() || found.uid !== uid || found.size > MAX_BYTES) return null;
    const value: unknown = JSON.parse(readFileSync(descriptor, "utf8"));
    return isNotice(value) ? value : null;
  } catch {
    return null; // not JSON
  } finally {
    closeSync(descriptor);
  }
}

function isNotice(value: unknown): value is Notice {
  if (typeof value !== "object" || value === null) return false;
  const { pid, birth, begun, ended, faults } = value as Partial<Record<keyof Notice, unknown>>;
  const isText = (item: unknown): boolean => typeof item === "string";
  return (
    [pid, begun, ended].every(Number.isSafeInteger) &&
    isText(birth) &&
    Array.isArray(faults) &&
    faults.every(isText)
  );
}

/** When the process began, in ticks since the boot; "" when there is none. */
export function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Behind the command name, which may hold anything, state is the first field and the start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}
