/**
 * Doubly linked lists of channel records: living in creation order, in delete, in trash. A record stands in
 * one of them, or in the free list. Used by channels and recover, under the lock; each change is planned and
 * then carried out (journal.ts).
 */

import {
  JOURNAL_AFTER,
  JOURNAL_BEFORE,
  JOURNAL_FREE_CHANNEL,
  JOURNAL_FROM,
  JOURNAL_FROM_COUNT,
  JOURNAL_TO,
  JOURNAL_TO_COUNT,
  JOURNAL_TO_LAST,
} from "../lock/journal.ts";
import { type Arena, channelWord } from "../memory/arena.ts";
import { CH_AFTER, CH_BEFORE } from "../memory/layout-channel.ts";
import { HEAD_FREE_CHANNEL, LIST_COUNT, LIST_FIRST, LIST_LAST } from "../memory/layout-header.ts";

/** Plans to put a record at the end of the list whose LIST_* words begin at `list`. */
export function planJoining({ u32 }: Arena, list: number): void {
  u32[JOURNAL_TO] = list;
  u32[JOURNAL_TO_LAST] = u32[list + LIST_LAST]!;
  u32[JOURNAL_TO_COUNT] = u32[list + LIST_COUNT]! + 1;
}

export function joinPlanned({ u32, layout }: Arena, index: number): void {
  const record = channelWord(layout, index);
  const list = u32[JOURNAL_TO]!;
  const last = u32[JOURNAL_TO_LAST]!;
  u32[record + CH_BEFORE] = last;
  u32[record + CH_AFTER] = 0;
  if (last === 0) u32[list + LIST_FIRST] = index + 1;
  else u32[channelWord(layout, last - 1) + CH_AFTER] = index + 1;
  u32[list + LIST_LAST] = index + 1;
  u32[list + LIST_COUNT] = u32[JOURNAL_TO_COUNT]!;
}

/** Plans to take a record out of its list. */
export function planLeaving({ u32, layout }: Arena, list: number, index: number): void {
  const record = channelWord(layout, index);
  u32[JOURNAL_FROM] = list;
  u32[JOURNAL_FROM_COUNT] = u32[list + LIST_COUNT]! - 1;
  u32[JOURNAL_BEFORE] = u32[record + CH_BEFORE]!;
  u32[JOURNAL_AFTER] = u32[record + CH_AFTER]!;
}

export function leavePlanned({ u32, layout }: Arena): void {
  const list = u32[JOURNAL_FROM]!;
  const before = u32[JOURNAL_BEFORE]!;
  const after = u32[JOURNAL_AFTER]!;
  if (before === 0) u32[list + LIST_FIRST] = after;
  else u32[channelWord(layout, before - 1) + CH_AFTER] = after;
  if (after === 0) u32[list + LIST_LAST] = before;
  else u32[channelWord(layout, after - 1) + CH_BEFORE] = before;
  u32[list + LIST_COUNT] = u32[JOURNAL_FROM_COUNT]!;
}

/** First index of a list, -1 when it is empty. */
export const firstOfList = (arena: Arena, list: number): number => arena.u32[list + LIST_FIRST]! - 1;

/** A free record, -1 when all are in use: planned to be taken. */
export function planTakingRecord({ u32, layout }: Arena): number {
  const index = u32[HEAD_FREE_CHANNEL]! - 1;
  if (index >= 0) u32[JOURNAL_FREE_CHANNEL] = u32[channelWord(layout, index) + CH_AFTER]!;
  return index;
}

export function takePlannedRecord({ u32 }: Arena): void {
  u32[HEAD_FREE_CHANNEL] = u32[JOURNAL_FREE_CHANNEL]!;
}

export function planGivingRecord({ u32 }: Arena): void {
  u32[JOURNAL_FREE_CHANNEL] = u32[HEAD_FREE_CHANNEL]!;
}

export function givePlannedRecord({ u32, layout }: Arena, index: number): void {
  u32[channelWord(layout, index) + CH_AFTER] = u32[JOURNAL_FREE_CHANNEL]!;
  u32[HEAD_FREE_CHANNEL] = index + 1;
}
