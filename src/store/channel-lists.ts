/**
 * Doubly linked lists of channel records: living in creation order, in delete, in trash. A record stands in one of them, or
 * in the free list. Used by channels, sweep and recover, under the lock.
 */
import { type Arena, channelWord } from "./arena.ts";
import { CH_AFTER, CH_BEFORE, HEAD_FREE_CHANNEL, LIST_COUNT, LIST_FIRST, LIST_LAST } from "./layout.ts";

/** Puts a record at the end of the list whose LIST_* words begin at `list`. */
export function appendToList(arena: Arena, list: number, index: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const last = u32[list + LIST_LAST]!;
  u32[record + CH_BEFORE] = last;
  u32[record + CH_AFTER] = 0;
  if (last === 0) u32[list + LIST_FIRST] = index + 1;
  else u32[channelWord(layout, last - 1) + CH_AFTER] = index + 1;
  u32[list + LIST_LAST] = index + 1;
  u32[list + LIST_COUNT] = u32[list + LIST_COUNT]! + 1;
}

export function removeFromList(arena: Arena, list: number, index: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const before = u32[record + CH_BEFORE]!;
  const after = u32[record + CH_AFTER]!;
  if (before === 0) u32[list + LIST_FIRST] = after;
  else u32[channelWord(layout, before - 1) + CH_AFTER] = after;
  if (after === 0) u32[list + LIST_LAST] = before;
  else u32[channelWord(layout, after - 1) + CH_BEFORE] = before;
  u32[list + LIST_COUNT] = u32[list + LIST_COUNT]! - 1;
}

/** First index of a list, -1 when it is empty. */
export const firstOfList = (arena: Arena, list: number): number => arena.u32[list + LIST_FIRST]! - 1;

/** Takes a free record: its index, -1 when all are in use. */
export function takeFreeChannel(arena: Arena): number {
  const { u32, layout } = arena;
  const index = u32[HEAD_FREE_CHANNEL]! - 1;
  if (index >= 0) u32[HEAD_FREE_CHANNEL] = u32[channelWord(layout, index) + CH_AFTER]!;
  return index;
}

export function giveFreeChannel(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  u32[channelWord(layout, index) + CH_AFTER] = u32[HEAD_FREE_CHANNEL]!;
  u32[HEAD_FREE_CHANNEL] = index + 1;
}
