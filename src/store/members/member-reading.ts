/**
 * Reading the members of a channel, however many there are, without keeping anybody waiting: first which
 * records, in slices under the lock, then each record by itself, without it.
 *
 * The number of events is taken with the first slice. Who is a member from then on to the end of the reading
 * is found exactly once; who comes or goes meanwhile is found or not, and the events behind that number say
 * which. So list and events make the same picture, in whatever order they arrive. A reader that stands at
 * somebody who leaves is moved on (unlinkFromChannelOf), so that no slice begins at the start again.
 */
import { readFence } from "../memory/arena.ts";
import {
  MB_CHANNEL,
  MB_CONNECTIONS,
  MB_FLAGS,
  MB_INFO_LENGTH,
  MB_NAME_LENGTH,
  MB_NEXT,
  MB_SINCE_SEC,
  MB_STAMP,
  MC_FIRST,
  MEMBER_ANONYMOUS,
  MEMBER_LISTED,
} from "../memory/layout-members.ts";
import { memberChannelWord, memberWord, READ_AGAIN } from "./member-lists.ts";
import type { Members } from "./members-file.ts";

/** Some tenths of a millisecond under the lock. */
const RECORDS_A_SLICE = 2048;

/** Records and their stamps, one after the other. */
export type Found = number[];

/** Under the lock: stands at the channel's first. */
export function beginReading(members: Members, slot: number, index: number): void {
  members.u32[members.layout.readersWord + slot] = members.u32[memberChannelWord(members, index) + MC_FIRST]!;
}

/**
 * Under the lock: the next slice. False: that was all. What was found before is to be forgotten where the
 * lists were made anew.
 */
export function readSlice(members: Members, slot: number, index: number, found: Found): boolean {
  const { u32, layout } = members;
  const word = layout.readersWord + slot;
  if (u32[word] === READ_AGAIN) {
    found.length = 0;
    beginReading(members, slot, index);
  }
  let record = u32[word]!;
  for (let left = RECORDS_A_SLICE; left > 0 && record !== 0; left--) {
    const at = memberWord(members, record);
    if ((u32[at + MB_FLAGS]! & MEMBER_LISTED) !== 0) found.push(record, u32[at + MB_STAMP]!);
    record = u32[at + MB_NEXT]!;
  }
  u32[word] = record;
  return record !== 0;
}

export class MemberView {
  name = "";
  isAnonymous = false;
  /** JSON; empty: nothing is known. */
  info = "";
  sinceSec = 0;
  connections = 0;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** False: whoever it was is no longer there. */
export function readRecord(
  members: Members,
  index: number,
  record: number,
  stamp: number,
  into: MemberView,
): boolean {
  const { u32, u8, layout } = members;
  const at = memberWord(members, record);
  // Pairs with showRecord and freeRecord.
  if (Atomics.load(u32, at + MB_STAMP) !== stamp || u32[at + MB_CHANNEL] !== index + 1) return false;
  const nameLength = Math.min(u32[at + MB_NAME_LENGTH]!, layout.textBytes);
  const infoLength = Math.min(u32[at + MB_INFO_LENGTH]!, layout.textBytes - nameLength);
  const text = (at + layout.textWord) * 4;
  into.name = decoder.decode(u8.subarray(text, text + nameLength));
  into.info =
    infoLength === 0 ? "" : decoder.decode(u8.subarray(text + nameLength, text + nameLength + infoLength));
  into.isAnonymous = (u32[at + MB_FLAGS]! & MEMBER_ANONYMOUS) !== 0;
  into.sinceSec = u32[at + MB_SINCE_SEC]!;
  into.connections = u32[at + MB_CONNECTIONS]!;
  readFence();
  return Atomics.load(u32, at + MB_STAMP) === stamp;
}
