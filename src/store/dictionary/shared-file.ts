/**
 * The files of shared dictionaries: made, kept or emptied by main before its workers come (supervisor/),
 * attached by each worker that asks for one. Mode 0600, every page allocated, as the store's (mapping.ts).
 *
 *   asked to persist, same size, and closed in order or of this boot   kept; a change cut off is finished
 *   anything else                                                      a new one, empty
 *
 * After a power cut a file on a disk has pages of different ages: such a one is emptied, not guessed at.
 */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isOfThisBoot, isSameFile, signLife } from "../life.ts";
import { setWide, wide } from "../memory/arena.ts";
import { flushNow } from "../memory/flush.ts";
import { CLOSED, HEAD_CLEAN, HEAD_LOCK, HEAD_ON_DISK, HEADER_BYTES } from "../memory/layout-header.ts";
import {
  allocateFile,
  closeFile,
  isInMemory,
  type MappableFile,
  mapFile,
  openExisting,
} from "../memory/mapping.ts";
import { type DictionaryArena, redoChange } from "./shared-change.ts";
import { emptyDictionary } from "./shared-entries.ts";
import {
  DICT_LAYOUT,
  DICT_LAYOUT_VERSION,
  DICT_MAGIC_A,
  DICT_MAGIC_B,
  DICT_SEED,
  DICT_SHAPE_CHECK,
  DICT_SIZE,
  dictionaryLayoutOf,
} from "./shared-layout.ts";

const MENDING = { redo: redoChange, rebuild: emptyDictionary };

/** With its size: one of another size is another file. */
export const dictionaryPath = (
  storePath: string,
  { name, size }: { readonly name: string; readonly size: number },
): string => `${storePath}.shared-${name}.${size}`;

export interface OpenedDictionary {
  readonly arena: DictionaryArena;
  /** What was in it is still there. */
  readonly isKept: boolean;
}

/** By main alone. Throws when there is no room. */
export function openDictionary(path: string, size: number, isPersistent: boolean): OpenedDictionary {
  const layout = dictionaryLayoutOf(size);
  const existing = openExisting(path);
  if (existing !== null) {
    const isKept =
      isPersistent && shapeFault(existing) === null && existing.size === size && isCurrent(existing);
    if (isKept) return { arena: begin(arenaOf(existing, path), existing.inode), isKept: true };
    closeFile(existing);
  }
  const temporary = `${path}.new-${process.pid}`;
  const file = allocateFile(temporary, path, layout.size);
  const arena = { ...arenaOf(file, temporary), path };
  writeShape(arena);
  emptyDictionary(arena);
  renameSync(temporary, path);
  return { arena: begin(arena, file.inode), isKept: false };
}

/** Maps what main has opened. Throws when it is not usable. */
export function attachDictionary(path: string): DictionaryArena {
  const existing = openExisting(path);
  if (existing === null) throw new Error(`there is no shared dictionary at ${path}`);
  const fault = shapeFault(existing);
  if (fault === null) return arenaOf(existing, path);
  closeFile(existing);
  throw new Error(`the shared dictionary ${path} ${fault}`);
}

/** By main, when no worker is left. The next main may trust it: as the store's endService. */
export function closeDictionary(arena: DictionaryArena): void {
  flushNow(arena);
  arena.u32[HEAD_CLEAN] = CLOSED;
  flushNow(arena);
}

/**
 * Those beside a store that nobody wants: of a configuration that named others, or of a main that was killed.
 */
export function removeDictionaries(storePath: string, isWanted: (path: string) => boolean): void {
  const start = `${basename(storePath)}.shared-`;
  const folder = dirname(storePath);
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name);
    if (name.startsWith(start) && !isWanted(path)) rmSync(path, { force: true });
  }
}

function arenaOf(file: MappableFile, path: string): DictionaryArena {
  const { size } = file;
  const { buffer, byteOffset } = mapFile(file, path);
  return {
    layout: dictionaryLayoutOf(size),
    path,
    u32: new Uint32Array(buffer, byteOffset, Math.floor(size / 4)),
    i32: new Int32Array(buffer, byteOffset, Math.floor(size / 4)),
    u8: new Uint8Array(buffer, byteOffset, size),
    f64: new Float64Array(buffer, byteOffset, Math.floor(size / 8)),
    mending: MENDING,
    fault: null,
  };
}

/** Nobody else is alive here. */
function begin(arena: DictionaryArena, inode: number): DictionaryArena {
  const { u32, path } = arena;
  Atomics.store(u32, HEAD_LOCK, 0);
  if (!redoChange(arena)) emptyDictionary(arena);
  u32[HEAD_CLEAN] = 0;
  u32[HEAD_ON_DISK] = isInMemory(path) ? 0 : 1;
  signLife(u32, inode);
  // A power cut from here on must not find "closed in order".
  flushNow(arena);
  return arena;
}

const isCurrent = ({ header, inode }: MappableFile): boolean =>
  isSameFile(header, inode) && (header[HEAD_CLEAN] === CLOSED || isOfThisBoot(header));

function writeShape({ u32, layout }: DictionaryArena): void {
  u32.fill(0, 0, HEADER_BYTES / 4);
  u32[0] = DICT_MAGIC_A;
  u32[1] = DICT_MAGIC_B;
  u32[DICT_LAYOUT] = DICT_LAYOUT_VERSION;
  setWide(u32, DICT_SIZE, layout.size);
  u32[DICT_SEED] = crypto.getRandomValues(new Uint32Array(1))[0]!;
  u32[DICT_SHAPE_CHECK] = shapeCheck(u32);
}

function shapeFault({ fault, header, size }: MappableFile): string | null {
  if (fault !== null) return fault;
  if (header[0] !== DICT_MAGIC_A || header[1] !== DICT_MAGIC_B) return "is no shared dictionary";
  if (header[DICT_LAYOUT] !== DICT_LAYOUT_VERSION) return "is of another version of sluice";
  if (header[DICT_SHAPE_CHECK] !== shapeCheck(header) || wide(header, DICT_SIZE) !== size)
    return "is damaged";
  return null;
}

const shapeCheck = (u32: Uint32Array): number =>
  Bun.hash.xxHash32(new Uint8Array(new Uint32Array(u32.subarray(0, DICT_SHAPE_CHECK)).buffer));
