/**
 * Opening the store: deciding what to do with the file that is there, and leaving a store in a state that workers can attach
 * to. Main calls openFile once at start, workers attachFile. What can be wrong with a file ends in a report or in one
 * clear error, never in a crash later.
 */
import { renameSync, rmSync, truncateSync } from "node:fs";
import { type Arena, arenaOver, setWide, wide } from "./arena.ts";
import {
  AGE_COUNT,
  HEAD_BLOCK_SIZE,
  HEAD_CHANNELS,
  HEAD_CLEAN,
  HEAD_EPOCH,
  HEAD_HASH_SEED,
  HEAD_LAYOUT_VERSION,
  HEAD_LOCK,
  HEAD_MAGIC_A,
  HEAD_MAGIC_B,
  HEAD_RING_HEAD,
  HEAD_RING_SIZE,
  HEAD_SIZE,
  HEAD_SLOTS,
  HEAD_STARTED_SEC,
  HEAD_STORED,
  LAYOUT_VERSION,
  type Layout,
  layoutOf,
  MAGIC_A,
  MAGIC_B,
} from "./layout.ts";
import { allocateFile, closeFile, type MappableFile, mapFile, openExisting } from "./mapping.ts";
import { liveOwner, setOwner } from "./owner.ts";
import { rebuild } from "./recover.ts";
import { FIRST_SERIAL } from "./totals.ts";

export interface StoreShape {
  path: string;
  size: number;
  blockSize: number;
  /** Channel records; 0 = from the size. */
  channels: number;
  ringSize: number;
  workerSlots: number;
}

export interface OpenReport {
  kind: "created" | "reopened" | "recovered" | "replaced";
  reason: string;
  /** Stored messages found. */
  messages: number;
  /** Messages lost: incomplete ones on recovery, all of them when a store of another shape was replaced. */
  dropped: number;
  /** Where a file that could not be used was put, or null. */
  setAside: string | null;
}

/** 2020-01-01, where the seconds in an epoch begin. */
const EPOCH_START_SEC = 1577836800;

interface Opened {
  arena: Arena;
  report: OpenReport;
}

/** Creates, reopens, recovers or replaces. Throws when the shape is impossible, memory is short, or the file is in use. */
export function openFile(shape: StoreShape): Opened {
  const layout = layoutOf(shape);
  const existing = openExisting(shape.path);
  if (existing === null)
    return createStore(shape.path, layout, { kind: "created", reason: "there was none" });
  const owner = existing.fault === null ? liveOwner(existing.header) : 0;
  if (owner !== 0) {
    closeFile(existing);
    throw new Error(`the store ${shape.path} is in use by process ${owner}`);
  }
  const fault = existing.fault ?? headerFault(existing);
  if (fault !== null) {
    closeFile(existing);
    return replaceSetAside(shape.path, layout, fault, isOurs(existing));
  }
  if (!hasShape(existing.header, layout)) return replaceOtherShape(shape.path, layout, existing);
  return reopen(shape.path, layout, existing);
}

/** Maps a store that main has opened already; the layout is the file's own. Throws when it is not usable. */
export function attachFile(path: string): Arena {
  const existing = openExisting(path);
  if (existing === null) throw new Error(`there is no store at ${path}`);
  const fault = existing.fault ?? headerFault(existing);
  if (fault !== null) {
    closeFile(existing);
    throw new Error(`the store ${path} ${fault}`);
  }
  const layout = layoutOf(shapeOf(existing.header));
  return arenaOver(mapFile(existing, path), layout, rebuild);
}

/** Main, when every worker has ended: the next open may trust the lists. */
export function markFileClean(arena: Arena): void {
  arena.u32[HEAD_CLEAN] = 1;
}

function reopen(path: string, layout: Layout, existing: MappableFile): Opened {
  const clean = existing.header[HEAD_CLEAN] === 1;
  const arena = arenaOver(mapFile(existing, path), layout, rebuild);
  const { u32 } = arena;
  let dropped = 0;
  if (!clean) {
    // Nobody else is alive here, so the lock word, whoever holds it, means nothing.
    Atomics.store(u32, HEAD_LOCK, 0);
    dropped = rebuild(arena).dropped;
  }
  beginService(arena);
  const messages = u32[HEAD_STORED + AGE_COUNT]!;
  const report: OpenReport = clean
    ? { kind: "reopened", reason: "it was closed in order", messages, dropped, setAside: null }
    : { kind: "recovered", reason: "it was not closed in order", messages, dropped, setAside: null };
  return { arena, report };
}

/**
 * A file we cannot read, or that is not ours: moved out of the way, and deleted only when it is a store of another version of this
 * program and there is no room for two. Without that an upgrade would fail at every start from then on.
 */
function replaceSetAside(path: string, layout: Layout, fault: string, mayDelete: boolean): Opened {
  const setAside = `${path}.aside-${Date.now()}`;
  renameSync(path, setAside);
  const why = { kind: "replaced", reason: `the file there ${fault}` } as const;
  try {
    const { arena, report } = createStore(path, layout, why);
    return { arena, report: { ...report, setAside } };
  } catch (error) {
    if (!mayDelete) throw error;
    // Emptied first: the name alone frees nothing while somebody looks at the file.
    truncateSync(setAside);
    rmSync(setAside);
    return createStore(path, layout, { ...why, reason: `${why.reason}; there was no room to keep it` });
  }
}

/**
 * A good store of another size or shape (the configuration changed): its messages cannot stay. Deleted first, because two of
 * them may not fit into memory.
 */
function replaceOtherShape(path: string, layout: Layout, existing: MappableFile): Opened {
  const lost = existing.header[HEAD_STORED + AGE_COUNT]!;
  closeFile(existing);
  rmSync(path);
  const opened = createStore(path, layout, {
    kind: "replaced",
    reason: "the store's configured shape changed",
  });
  return { arena: opened.arena, report: { ...opened.report, dropped: lost } };
}

function createStore(path: string, layout: Layout, why: Pick<OpenReport, "kind" | "reason">): Opened {
  const temporary = `${path}.new-${process.pid}`;
  const file = allocateFile(temporary, path, layout.size);
  const arena = arenaOver(mapFile(file, temporary), layout, rebuild);
  format(arena);
  beginService(arena);
  // Only now can the file be found, complete. A link or foreign file at the path is replaced, not followed.
  renameSync(temporary, path);
  return { arena, report: { ...why, messages: 0, dropped: 0, setAside: null } };
}

/** Fills a file of zeros: identity, first serial, and lists that hold every block and record free. */
function format(arena: Arena): void {
  const { u32, layout } = arena;
  u32[HEAD_MAGIC_A] = MAGIC_A;
  u32[HEAD_MAGIC_B] = MAGIC_B;
  u32[HEAD_LAYOUT_VERSION] = LAYOUT_VERSION;
  setWide(u32, HEAD_SIZE, layout.size);
  u32[HEAD_BLOCK_SIZE] = layout.blockSize;
  u32[HEAD_CHANNELS] = layout.channels;
  u32[HEAD_RING_SIZE] = layout.ringSize;
  u32[HEAD_SLOTS] = layout.workerSlots;
  const [seed, salt] = crypto.getRandomValues(new Uint32Array(2));
  u32[HEAD_HASH_SEED] = seed!;
  // Seconds since 2020 and 22 random bits: below 2^53 until 2088, and different for stores created at once.
  setWide(u32, HEAD_EPOCH, Math.floor(Date.now() / 1000 - EPOCH_START_SEC) * 0x400000 + (salt! >>> 10));
  u32[HEAD_RING_HEAD] = FIRST_SERIAL;
  rebuild(arena);
}

/** What every open begins with: no lock, not clean until somebody says so. The workers of before are openStore's affair. */
function beginService(arena: Arena): void {
  const { u32 } = arena;
  Atomics.store(u32, HEAD_LOCK, 0);
  u32[HEAD_STARTED_SEC] = Math.floor(Date.now() / 1000);
  u32[HEAD_CLEAN] = 0;
  setOwner(arena);
}

/** Why a header is not that of a usable store, as the end of a sentence; null = it is. */
function headerFault(file: MappableFile): string | null {
  const { header, size } = file;
  if (!isOurs(file)) return "is not a sluice store";
  const version = header[HEAD_LAYOUT_VERSION]!;
  if (version !== LAYOUT_VERSION) return `has layout version ${version}, this program uses ${LAYOUT_VERSION}`;
  if (wide(header, HEAD_SIZE) !== size) return `has ${size} bytes instead of ${wide(header, HEAD_SIZE)}`;
  return null;
}

/** Of whatever version. */
const isOurs = ({ header, fault }: MappableFile): boolean =>
  fault === null && header[HEAD_MAGIC_A] === MAGIC_A && header[HEAD_MAGIC_B] === MAGIC_B;

const shapeOf = (header: Uint32Array): Omit<StoreShape, "path"> => ({
  size: wide(header, HEAD_SIZE),
  blockSize: header[HEAD_BLOCK_SIZE]!,
  channels: header[HEAD_CHANNELS]!,
  ringSize: header[HEAD_RING_SIZE]!,
  workerSlots: header[HEAD_SLOTS]!,
});

const hasShape = (header: Uint32Array, layout: Layout): boolean =>
  wide(header, HEAD_SIZE) === layout.size &&
  header[HEAD_BLOCK_SIZE] === layout.blockSize &&
  header[HEAD_CHANNELS] === layout.channels &&
  header[HEAD_RING_SIZE] === layout.ringSize &&
  header[HEAD_SLOTS] === layout.workerSlots;
