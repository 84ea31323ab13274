/**
 * The lists of the member table (layout-members.ts): free records, chains by hash, members of a channel,
 * those who leave in a second, channels with something to tell. Called by members.ts alone, under the store's
 * lock. Each function leaves its list whole; what dies between two of them is made anew (members-mend.ts).
 */
import {
  LAST_DUE,
  MB_CHANNEL,
  MB_FLAGS,
  MB_HASH,
  MB_INCARNATION,
  MB_LATER,
  MB_LEAVES_SEC,
  MB_NEXT,
  MB_PREVIOUS,
  MB_STAMP,
  MB_WHEEL_NEXT,
  MB_WHEEL_PREVIOUS,
  MC_COUNT,
  MC_DUE,
  MC_FIRST,
  MC_INCARNATION,
  MC_LISTED,
  MC_WORDS,
  MEMBER_LISTED,
  MH_DUE,
  MH_DUE_COUNT,
  MH_DUE_LAST,
  MH_FREE,
  MH_USED,
  WHEEL_SLOTS,
} from "../memory/layout-members.ts";
import type { Members } from "./members-file.ts";

/** In the word of whoever reads the list: it was made anew meanwhile. */
export const READ_AGAIN = 0xffffffff;

export const memberWord = ({ layout }: Members, record: number): number =>
  layout.recordsWord + record * layout.recordWords;

export const memberChannelWord = ({ layout }: Members, index: number): number =>
  layout.channelsWord + index * MC_WORDS;

/** A free record, whose stamp stays odd until showRecord; 0: all are in use. */
export function takeRecord(members: Members): number {
  const { u32 } = members;
  const record = u32[MH_FREE]!;
  if (record === 0) return 0;
  u32[MH_FREE] = u32[memberWord(members, record) + MB_NEXT]!;
  u32[MH_USED] = u32[MH_USED]! + 1;
  return record;
}

/** Pairs with the first look of readRecord: who sees an even stamp sees the whole record. */
export function showRecord(members: Members, record: number): void {
  const at = memberWord(members, record) + MB_STAMP;
  Atomics.store(members.u32, at, (members.u32[at]! + 1) >>> 0);
}

/** Pairs with the second look of readRecord. */
export function freeRecord(members: Members, record: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  Atomics.store(u32, at + MB_STAMP, (u32[at + MB_STAMP]! | 1) >>> 0);
  u32[at + MB_CHANNEL] = 0;
  u32[at + MB_NEXT] = u32[MH_FREE]!;
  u32[MH_FREE] = record;
  u32[MH_USED] = u32[MH_USED]! - 1;
}

const hashHead = ({ layout }: Members, hash: number): number =>
  layout.hashWord + (hash & (layout.hashSize - 1));

export const firstWithHash = (members: Members, hash: number): number =>
  members.u32[hashHead(members, hash)]!;

export function linkByHash(members: Members, record: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  const head = hashHead(members, u32[at + MB_HASH]!);
  u32[at + MB_LATER] = u32[head]!;
  u32[head] = record;
}

export function unlinkByHash(members: Members, record: number): void {
  const { u32, layout } = members;
  const at = memberWord(members, record);
  let link = hashHead(members, u32[at + MB_HASH]!);
  for (let left = layout.records; left > 0 && u32[link] !== 0; left--) {
    if (u32[link] === record) {
      u32[link] = u32[at + MB_LATER]!;
      return;
    }
    link = memberWord(members, u32[link]!) + MB_LATER;
  }
}

/** As its channel's newest. */
export function linkInChannelOf(members: Members, record: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  const channel = memberChannelWord(members, u32[at + MB_CHANNEL]! - 1);
  const next = u32[channel + MC_FIRST]!;
  u32[at + MB_NEXT] = next;
  u32[at + MB_PREVIOUS] = 0;
  if (next !== 0) u32[memberWord(members, next) + MB_PREVIOUS] = record;
  u32[channel + MC_FIRST] = record;
  u32[channel + MC_COUNT] = u32[channel + MC_COUNT]! + 1;
  if ((u32[at + MB_FLAGS]! & MEMBER_LISTED) !== 0) u32[channel + MC_LISTED] = u32[channel + MC_LISTED]! + 1;
}

/** Whoever reads the channel and stands at it goes on with the next. */
export function unlinkFromChannelOf(members: Members, record: number): void {
  const { u32, layout } = members;
  const at = memberWord(members, record);
  const channel = memberChannelWord(members, u32[at + MB_CHANNEL]! - 1);
  const next = u32[at + MB_NEXT]!;
  const previous = u32[at + MB_PREVIOUS]!;
  const isCurrent = u32[channel + MC_INCARNATION] === u32[at + MB_INCARNATION];
  if (next !== 0) u32[memberWord(members, next) + MB_PREVIOUS] = previous;
  if (previous !== 0) u32[memberWord(members, previous) + MB_NEXT] = next;
  else if (isCurrent) u32[channel + MC_FIRST] = next;
  for (let slot = 0; slot < layout.workerSlots; slot++) {
    if (u32[layout.readersWord + slot] === record) u32[layout.readersWord + slot] = next;
  }
  if (!isCurrent) return;
  u32[channel + MC_COUNT] = u32[channel + MC_COUNT]! - 1;
  if ((u32[at + MB_FLAGS]! & MEMBER_LISTED) !== 0) u32[channel + MC_LISTED] = u32[channel + MC_LISTED]! - 1;
}

const wheelHead = ({ layout }: Members, sec: number): number => layout.wheelWord + (sec & (WHEEL_SLOTS - 1));

export const firstOfSecond = (members: Members, sec: number): number => members.u32[wheelHead(members, sec)]!;

/** It leaves in this second unless it is taken out before. */
export function linkInWheel(members: Members, record: number, sec: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  const head = wheelHead(members, sec);
  const next = u32[head]!;
  u32[at + MB_LEAVES_SEC] = sec;
  u32[at + MB_WHEEL_NEXT] = next;
  u32[at + MB_WHEEL_PREVIOUS] = 0;
  if (next !== 0) u32[memberWord(members, next) + MB_WHEEL_PREVIOUS] = record;
  u32[head] = record;
}

export function unlinkFromWheel(members: Members, record: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  const sec = u32[at + MB_LEAVES_SEC]!;
  if (sec === 0) return;
  const next = u32[at + MB_WHEEL_NEXT]!;
  const previous = u32[at + MB_WHEEL_PREVIOUS]!;
  if (next !== 0) u32[memberWord(members, next) + MB_WHEEL_PREVIOUS] = previous;
  if (previous !== 0) u32[memberWord(members, previous) + MB_WHEEL_NEXT] = next;
  else u32[wheelHead(members, sec)] = next;
  u32[at + MB_LEAVES_SEC] = 0;
}

/** At the end of the queue, once. */
export function queueChannel(members: Members, index: number): void {
  const { u32 } = members;
  const at = memberChannelWord(members, index);
  if (u32[at + MC_DUE] !== 0) return;
  const last = u32[MH_DUE_LAST]!;
  u32[at + MC_DUE] = LAST_DUE;
  if (last === 0) u32[MH_DUE] = index + 1;
  else u32[memberChannelWord(members, last - 1) + MC_DUE] = index + 1;
  u32[MH_DUE_LAST] = index + 1;
  u32[MH_DUE_COUNT] = u32[MH_DUE_COUNT]! + 1;
}

/** The first of the queue, which is no longer in it; -1: it is empty. */
export function takeQueued(members: Members): number {
  const { u32 } = members;
  const first = u32[MH_DUE]!;
  if (first === 0) return -1;
  const at = memberChannelWord(members, first - 1) + MC_DUE;
  const next = u32[at]!;
  u32[at] = 0;
  u32[MH_DUE] = next === LAST_DUE ? 0 : next;
  if (next === LAST_DUE) u32[MH_DUE_LAST] = 0;
  u32[MH_DUE_COUNT] = Math.max(0, u32[MH_DUE_COUNT]! - 1);
  return first - 1;
}
