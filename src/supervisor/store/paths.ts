/**
 * Where the store file lives: `store.path`, else `$RUNTIME_DIRECTORY` (systemd makes and keeps it), else
 * /dev/shm if it has the room, else the system's temp folder (architecture, 2).
 *
 * The name comes from the first listen address, so that two instances of one user do not meet and a restart
 * finds its own store again. In the shared folders everything sits in a folder of mode 0700 that must be
 * ours: a name that anybody may create beforehand would let them read every message.
 */
import {
  accessSync,
  constants,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  statfsSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

/** sun_path holds 107 bytes; the longest thing beside the store is a doorbell, `<store>.bell-127`. */
const MAX_PATH_BYTES = 107 - ".bell-127".length;
const MAX_NAME_LENGTH = 40;
export const SHARED_MEMORY = "/dev/shm";
const SHARED_FOLDERS: readonly string[] = [SHARED_MEMORY, tmpdir()];

export type PathOutcome =
  | { readonly ok: true; readonly path: string; readonly passedOver: readonly string[] }
  | { readonly ok: false; readonly fault: string };

/**
 * Chooses the store file for this configuration, making the private folder where one is needed. `bytes` is
 * its size: where shared memory is too small for it, as the 64 MB a container has, the next folder is taken.
 * So it is where somebody else sits in the place, who would otherwise keep us from starting; `passedOver`
 * says that, for the log. What was configured is taken or refused.
 */
export function chooseStorePath(
  configured: string | null,
  firstListen: string,
  environment: Environment,
  bytes = 0,
  sharedFolders: readonly string[] = SHARED_FOLDERS,
  owner: Owner = ourselves(),
): PathOutcome {
  if (configured !== null) return checked(resolve(configured), "store.path");
  const name = storeName(firstListen);
  const { uid } = owner;
  // A store that is there already has its room.
  const fitting = sharedFolders.filter(
    (parent) => existsSync(join(privateFolderOf(parent, uid), name)) || hasRoom(parent, bytes),
  );
  const parents = fitting.some(isWritable) ? fitting : sharedFolders;
  const place = placeForFiles(environment, parents, (folder) => storeFault(join(folder, name)), owner);
  if (!place.ok) return place;
  const path = checked(join(place.path, name), place.field);
  return path.ok ? { ...path, passedOver: place.passedOver } : path;
}

/** Who has the folder: this user, or whom the workers of root become. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const ourselves = (): Owner => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

type Environment = Readonly<Record<string, string | undefined>>;

type PlaceOutcome =
  | {
      readonly ok: true;
      readonly path: string;
      readonly field: string;
      readonly passedOver: readonly string[];
    }
  | { readonly ok: false; readonly fault: string };

/**
 * The folder for files of this user's mains, made where it has to be; `field` says in a fault where it comes
 * from. `faultOf`: why a folder will not do for what is to be put there.
 */
export function placeForFiles(
  environment: Environment,
  sharedFolders: readonly string[] = SHARED_FOLDERS,
  faultOf: (folder: string) => string | null = () => null,
  owner: Owner = ourselves(),
): PlaceOutcome {
  const runtime = environment["RUNTIME_DIRECTORY"]?.split(":")[0];
  if (runtime) return { ok: true, path: runtime, field: "$RUNTIME_DIRECTORY", passedOver: [] };
  const parents = sharedFolders.filter(isWritable);
  const passedOver: string[] = [];
  for (const parent of parents) {
    const path = privateFolderOf(parent, owner.uid);
    const fault = makePrivate(path, owner) ?? faultOf(path);
    if (fault === null) return { ok: true, path, field: "store", passedOver };
    passedOver.push(fault);
  }
  const [fault = "no shared folder can be written; set store.path"] = passedOver;
  return { ok: false, fault: `store: ${fault}` };
}

export const privateFolderOf = (parent: string, uid: number): string => join(parent, `sluice-${uid}`);

/** "127.0.0.1:8080" → "127.0.0.1-8080"; what is too long for a socket beside it ends in a hash instead. */
export function storeName(firstListen: string): string {
  const plain = firstListen.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[-.]+|-+$/g, "");
  if (plain.length > 0 && plain.length <= MAX_NAME_LENGTH) return plain;
  const hash = Bun.hash.crc32(firstListen).toString(16).padStart(8, "0");
  return `${plain.slice(0, MAX_NAME_LENGTH - 9)}-${hash}`;
}

function checked(path: string, field: string): PathOutcome {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) {
    return { ok: false, fault: `${field}: ${path} is ${bytes} bytes long; at most ${MAX_PATH_BYTES} fit` };
  }
  const fault = placeFault(path);
  if (fault !== null) return { ok: false, fault: `${field}: ${fault}` };
  return { ok: true, path, passedOver: [] };
}

/**
 * Why no store can be kept there. What is no store is moved aside later on, which is right for a file or a
 * link, and would take a device node, as root even /dev/null, away from everybody else.
 */
function placeFault(path: string): string | null {
  const folder = dirname(path);
  try {
    if (!isFolder(folder)) return `${path}: the folder ${folder} does not exist`;
    if (isFolder(path)) return `${path} is a folder; a file is needed`;
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isFile() || found.isSymbolicLink()) return null;
    return `${path} is a device, pipe or socket; a file is needed`;
  } catch (error) {
    return (error as Error).message; // no right to look
  }
}

/** The same for a place that we chose, with the lock beside it. */
function storeFault(path: string): string | null {
  const lock = lstatSync(`${path}.lock`, { throwIfNoEntry: false });
  return placeFault(path) ?? (lock === undefined || lock.isFile() ? null : `${path}.lock is no file`);
}

function makePrivate(folder: string, { uid, gid }: Owner): string | null {
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true });
    const made = lstatSync(folder);
    // Root's, who makes it for those his workers become; a link would make it somebody else's.
    if (made.isDirectory() && made.uid === 0 && uid !== 0 && process.getuid?.() === 0)
      lchownSync(folder, uid, gid);
    const found = lstatSync(folder);
    if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return null;
    return `${folder} is not a private folder of this user; remove ${basename(folder)}, or set store.path`;
  } catch (error) {
    return `cannot make the folder ${folder}: ${(error as Error).message}`;
  }
}

/** A little is left for others. */
const SPARE_BYTES = 4 * 1024 ** 2;

function hasRoom(folder: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes + SPARE_BYTES;
  } catch {
    return false; // not there
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
