/**
 * `user`: whom workers become when main was started as root, as nginx's do. Main keeps its rights, so that a
 * worker that is started later binds the same ports, reads the same keys and opens the same logs before it
 * drops them. Used by main-files.ts and worker-life.ts.
 *
 * By the C library and not by the system calls: it changes all threads of the process, a system call the one
 * that makes it.
 */

import { read } from "bun:ffi";
import { closeSync, constants, fchownSync, fstatSync, openSync } from "node:fs";
import type { UserConfig } from "../../config/model.ts";
import { openLibc } from "../../libc.ts";

export interface KnownUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * struct passwd { char *name; char *passwd; uid_t uid; gid_t gid; … }, struct group { char *name; char
 * *passwd; gid_t gid; … }, of 64-bit systems.
 */
const UID_AT = 16;
const GID_AT = 20;
const GROUP_ID_AT = 16;
const PR_SET_DUMPABLE = 4;

const { O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

const isRoot = (): boolean => process.getuid?.() === 0;

/** null: nobody is to be become, as nobody can. A text: there is no such user. */
export function userToBecome(user: UserConfig | null): KnownUser | string | null {
  if (user === null || !isRoot()) return null;
  const libc = openLibc({
    getpwnam: { args: ["cstring"], returns: "ptr" },
    getgrnam: { args: ["cstring"], returns: "ptr" },
  } as const);
  try {
    const entry = libc.symbols.getpwnam(Buffer.from(`${user.name}\0`));
    if (entry === null) return `user: there is no user ${user.name}`;
    const [uid, gid] = [read.u32(entry, UID_AT), read.u32(entry, GID_AT)];
    if (user.group === null) return { name: user.name, uid, gid };
    const group = libc.symbols.getgrnam(Buffer.from(`${user.group}\0`));
    if (group === null) return `user: there is no group ${user.group}`;
    return { name: user.name, uid, gid: read.u32(group, GROUP_ID_AT) };
  } finally {
    libc.close();
  }
}

/**
 * For good, and for all threads. Throws when that is not certain: nobody serves with rights he should not
 * have.
 */
export function becomeUser({ name, uid, gid }: KnownUser): void {
  const libc = openLibc({
    initgroups: { args: ["cstring", "u32"], returns: "i32" },
    setgid: { args: ["u32"], returns: "i32" },
    setuid: { args: ["u32"], returns: "i32" },
  } as const);
  const { initgroups, setgid, setuid } = libc.symbols;
  try {
    if (initgroups(Buffer.from(`${name}\0`), gid) !== 0) throw new Error(`user: initgroups ${name} failed`);
    if (setgid(gid) !== 0) throw new Error(`user: setgid ${gid} failed`);
    if (setuid(uid) !== 0) throw new Error(`user: setuid ${uid} failed`);
    const isBecome = process.getuid?.() === uid && process.getegid?.() === gid;
    if (!isBecome || (uid !== 0 && setuid(0) === 0)) throw new Error(`user: this process is not ${name}`);
  } finally {
    libc.close();
  }
  keepOwnFilesReadable();
}

/**
 * A process that changes who it is loses the sight of /proc/self, where it finds its own sockets (prctl(2),
 * PR_SET_DUMPABLE).
 */
function keepOwnFilesReadable(): void {
  if (process.platform !== "linux") return;
  const libc = openLibc({ prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } } as const);
  libc.symbols.prctl(PR_SET_DUMPABLE, 1n, 0n, 0n, 0n);
  libc.close();
}

/**
 * The file is his from now on. Not through a link, nor a second name: who may write into the folder of a log
 * could have any file given to him (CVE-2016-1247 of nginx's packages was that).
 */
export function giveTo({ uid, gid }: KnownUser, path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return; // there is none, or it is a link, which stays whose it is
  }
  try {
    const found = fstatSync(descriptor);
    if (found.isFile() && found.nlink === 1) fchownSync(descriptor, uid, gid);
  } finally {
    closeSync(descriptor);
  }
}
