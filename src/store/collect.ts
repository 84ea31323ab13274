/**
 * Finding stored messages of a channel: replays (subscribe), lagging readers and workers that the ring has lapped (fanout).
 *
 * Walks the channel's links without the lock and believes the result only if CH_VERSION was even and the same before and
 * after: then no message was unlinked meanwhile, every block met was in the channel all the time, and appends only ever
 * add at the newest end. A channel that loses messages all the time (its limit is reached, or the store is full) gets
 * the lock after a few tries, so a walk ends.
 */
import { FLAG_STORED } from "../message.ts";
import { type Arena, blockWord, channelWord, readFence, wide } from "./arena.ts";
import { isLive } from "./channels.ts";
import {
  CH_NEWEST,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_VERSION,
  MSG_FLAGS,
  MSG_ID,
  MSG_NEWER,
  MSG_OLDER,
  MSG_STAMP,
} from "./layout.ts";
import { acquire, release } from "./lock.ts";
import type { RefList } from "./refs.ts";

const CHANNEL_GONE = -1;
const TRIES = 8;

/** Messages with ids above `afterId`, at most `limit`, oldest first. */
export function collectAfter(
  arena: Arena,
  index: number,
  incarnation: number,
  afterId: number,
  includeUnstored: boolean,
  limit: number,
  out: RefList,
): number {
  const record = channelWord(arena.layout, index);
  const start = out.length;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const version = beginWalk(arena, record);
    if (version < 0) continue;
    if (!isLive(arena, index, incarnation)) return CHANNEL_GONE;
    walkAfter(arena, record, afterId, includeUnstored, limit, out);
    if (endWalk(arena, record, version)) return out.length - start;
    out.truncate(start);
  }
  acquire(arena);
  const live = isLive(arena, index, incarnation);
  if (live) walkAfter(arena, record, afterId, includeUnstored, limit, out);
  release(arena);
  return live ? out.length - start : CHANNEL_GONE;
}

/** The newest `count` stored messages, oldest first. */
export function collectNewest(
  arena: Arena,
  index: number,
  incarnation: number,
  count: number,
  out: RefList,
): number {
  const record = channelWord(arena.layout, index);
  const start = out.length;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const version = beginWalk(arena, record);
    if (version < 0) continue;
    if (!isLive(arena, index, incarnation)) return CHANNEL_GONE;
    walkBack(arena, record, count, out);
    if (endWalk(arena, record, version)) return out.length - start;
    out.truncate(start);
  }
  acquire(arena);
  const live = isLive(arena, index, incarnation);
  if (live) walkBack(arena, record, count, out);
  release(arena);
  return live ? out.length - start : CHANNEL_GONE;
}

/** The version a walk starts at, -1 while a message is being unlinked. Pairs with the stores in dropMessage. */
function beginWalk(arena: Arena, record: number): number {
  const version = Atomics.load(arena.u32, record + CH_VERSION);
  return (version & 1) === 0 ? version : -1;
}

function endWalk(arena: Arena, record: number, version: number): boolean {
  readFence();
  return Atomics.load(arena.u32, record + CH_VERSION) === version;
}

function walkAfter(
  arena: Arena,
  record: number,
  afterId: number,
  includeUnstored: boolean,
  limit: number,
  out: RefList,
): void {
  const { u32, layout } = arena;
  const full = out.length + limit;
  let block = firstAfter(arena, record, afterId, includeUnstored);
  // The bound on steps is for links that were overwritten under us and form a ring.
  for (let steps = 0; isBlock(arena, block) && out.length < full && steps < layout.blocks; steps++) {
    const at = blockWord(layout, block);
    if (includeUnstored || isStored(u32, at)) out.push(block, u32[at + MSG_STAMP]!);
    // Pairs with the store in linkInChannel.
    block = Atomics.load(u32, at + MSG_NEWER);
  }
}

/** The oldest message with an id above `afterId`, looked for from the nearer end; 0 = none. */
function firstAfter(arena: Arena, record: number, afterId: number, includeUnstored: boolean): number {
  const { u32, layout } = arena;
  const oldest = Atomics.load(u32, record + CH_OLDEST);
  const newest = Atomics.load(u32, record + CH_NEWEST);
  if (!isBlock(arena, oldest) || !isBlock(arena, newest)) return 0;
  const oldestId = wide(u32, blockWord(layout, oldest) + MSG_ID);
  const newestId = wide(u32, blockWord(layout, newest) + MSG_ID);
  if (afterId >= newestId) return 0;
  if (afterId < oldestId) return includeUnstored ? oldest : u32[record + CH_OLDEST_STORED]!;
  const fromNewest = newestId - afterId < afterId - oldestId;
  const link = fromNewest ? MSG_OLDER : MSG_NEWER;
  let block = fromNewest ? newest : oldest;
  for (let steps = 0; steps < layout.blocks; steps++) {
    const next = u32[blockWord(layout, block) + link]!;
    if (!isBlock(arena, next)) return 0;
    const isAfter = wide(u32, blockWord(layout, next) + MSG_ID) > afterId;
    if (fromNewest && !isAfter) return block;
    if (!fromNewest && isAfter) return next;
    block = next;
  }
  return 0;
}

function walkBack(arena: Arena, record: number, count: number, out: RefList): void {
  const { u32, layout } = arena;
  const start = out.length;
  const full = start + count;
  // Pairs with the store in linkInChannel.
  let block = Atomics.load(u32, record + CH_NEWEST);
  for (let steps = 0; isBlock(arena, block) && out.length < full && steps < layout.blocks; steps++) {
    const at = blockWord(layout, block);
    if (isStored(u32, at)) out.push(block, u32[at + MSG_STAMP]!);
    block = u32[at + MSG_OLDER]!;
  }
  out.reverseFrom(start);
}

const isBlock = (arena: Arena, block: number): boolean => block !== 0 && block <= arena.layout.blocks;

const isStored = (u32: Uint32Array, at: number): boolean => (u32[at + MSG_FLAGS]! & FLAG_STORED) !== 0;
