/**
 * Opening the store: deciding what to do with the file that is there, and leaving a store in a state that
 * workers can attach to. Main calls openFile once at start, workers attachFile. What can be wrong with a file
 * ends in a report or in one clear error, never in a crash later.
 *
 * A file is trusted as it is when it was closed in order and its checksum fits; else its lists are made anew
 * (recover.ts). life.ts decides whether the positions of before still mean the same.
 */

import { beginLife, isOfThisBoot, isSameFile } from "../life.ts";
import { liveOwner } from "../lock/owner.ts";
import type { MembersRoom } from "../members/members-file.ts";
import { forgetKeys } from "../message/keys.ts";
import { MENDING, rebuild } from "../recovery/recover.ts";
import { mendTorn } from "../recovery/recover-torn.ts";
import { beginService } from "../service.ts";
import { type Arena, arenaOver } from "./arena.ts";
import { tidyAside } from "./aside.ts";
import { hasGoodChecksum } from "./checksum.ts";
import { hasShape, headerFault, shapeOf } from "./header.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { AGE_COUNT, CLOSED, HEAD_CLEAN, HEAD_LOCK, HEAD_STORED } from "./layout-header.ts";
import { closeFile, isInMemory, type MappableFile, mapFile, openExisting } from "./mapping.ts";
import { createStore, replaceOtherShape, replaceSetAside } from "./new-file.ts";

export interface StoreShape {
  path: string;
  size: number;
  blockSize: number;
  /** Channel records; 0 = from the size. */
  channels: number;
  ringSize: number;
  workerSlots: number;
  /** A node of a cluster: its records place the cluster's positions (layout-cluster.ts). */
  clustered?: boolean;
  /** Idempotency keys that are remembered. */
  keys?: number;
  /**
   * A table of members beside it; absent: none. It is no part of the shape: with another one the messages
   * stay.
   */
  members?: MembersRoom;
}

export interface OpenReport {
  kind: "created" | "reopened" | "recovered" | "replaced";
  reason: string;
  /** Stored messages found. */
  messages: number;
  /** Messages lost: incomplete ones on recovery, all of them when a store of another shape was replaced. */
  dropped: number;
  /** The epoch is the one of before: positions that subscribers hold still mean the same. */
  isSameLife: boolean;
  /** Where a file that could not be used was put, or null. */
  setAside: string | null;
  /** Files put aside earlier that were removed now (aside.ts). */
  removed: readonly string[];
}

interface Opened {
  arena: Arena;
  report: OpenReport;
}

/**
 * Creates, reopens, recovers or replaces. Throws when the shape is impossible, memory is short, or the file
 * is in use. `isFresh`: what is in it is not wanted.
 */
export function openFile(shape: StoreShape, isFresh = false): Opened {
  const opened = openOrMake(shape.path, layoutOf(shape), isFresh);
  const removed = [...opened.report.removed, ...tidyAside(shape.path)];
  return { ...opened, report: { ...opened.report, removed } };
}

function openOrMake(path: string, layout: Layout, isFresh: boolean): Opened {
  const existing = openExisting(path);
  if (existing === null) return made(createStore(path, layout), "created", "there was none");
  const fault = existing.fault ?? headerFault(existing);
  // A copy of a store that is in use is not.
  const isCopy = fault === null && !isSameFile(existing.header, existing.inode);
  const owner = existing.fault === null && !isCopy ? liveOwner(existing.header) : 0;
  if (owner !== 0) {
    closeFile(existing);
    throw new Error(`the store ${path} is in use by process ${owner}`);
  }
  if (fault !== null) {
    const { arena, aside, removed } = replaceSetAside(path, layout, existing);
    const reason = `the file there ${fault}${aside === null ? "; there was no room to keep it" : ""}`;
    return made(arena, "replaced", reason, { setAside: aside, removed });
  }
  if (!isFresh && hasShape(existing.header, layout)) return reopen(path, layout, existing);
  const dropped = existing.header[HEAD_STORED + AGE_COUNT]!;
  const arena = replaceOtherShape(path, layout, existing);
  const reason = isFresh ? "a fresh one was asked for" : "the store's configured shape changed";
  return made(arena, "replaced", reason, { dropped });
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
  return arenaOver(mapFile(existing, path), layout, path, MENDING);
}

function reopen(path: string, layout: Layout, existing: MappableFile): Opened {
  const { header, inode } = existing;
  const arena = arenaOver(mapFile(existing, path), layout, path, MENDING);
  // Nobody else is alive here, so the lock word, whoever holds it, means nothing.
  Atomics.store(arena.u32, HEAD_LOCK, 0);
  const isCopy = !isSameFile(header, inode);
  const wasClosed = header[HEAD_CLEAN] !== 0;
  const isWhole = header[HEAD_CLEAN] === CLOSED && hasGoodChecksum(arena);
  const isCurrent = !isCopy && (wasClosed || isOfThisBoot(header));
  let dropped = 0;
  if (!isWhole) {
    // Whoever was killed in this boot left what was written, to the last byte. Anything else may be of
    // different ages, page by page.
    const isTorn = wasClosed || !isCurrent;
    dropped = (isTorn ? mendTorn(arena, isInMemory(path)) : rebuild(arena)).dropped;
  }
  const isSameLife = isCurrent && (isWhole || !wasClosed);
  if (!isSameLife) {
    beginLife(arena.u32);
    forgetKeys(arena);
  }
  beginService(arena, inode);
  const messages = arena.u32[HEAD_STORED + AGE_COUNT]!;
  const reason = reasonOf(wasClosed, isWhole, isCopy, isCurrent);
  const kind = isWhole ? "reopened" : "recovered";
  const report = { kind, reason, messages, dropped, isSameLife, setAside: null, removed: [] } as const;
  return { arena, report };
}

function reasonOf(wasClosed: boolean, isWhole: boolean, isCopy: boolean, isCurrent: boolean): string {
  if (wasClosed && !isWhole) return "it was damaged after it was closed";
  if (isCopy) return isWhole ? "it is a copy" : "it is a copy of one that was not closed in order";
  if (wasClosed) return "it was closed in order";
  return isCurrent ? "it was not closed in order" : "the machine went down before it was closed";
}

function made(
  arena: Arena,
  kind: "created" | "replaced",
  reason: string,
  loss: Partial<OpenReport> = {},
): Opened {
  const empty = { messages: 0, dropped: 0, isSameLife: false, setAside: null, removed: [] };
  return { arena, report: { kind, reason, ...empty, ...loss } };
}
