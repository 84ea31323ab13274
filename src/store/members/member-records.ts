/**
 * One record of the table of members: finding it, filling it, and its connections. For members.ts and its
 * neighbours, under the lock.
 */
import { channelWord } from "../memory/arena.ts";
import { CH_INCARNATION } from "../memory/layout-channel.ts";
import {
  MB_CHANNEL,
  MB_CONNECTIONS,
  MB_FLAGS,
  MB_HASH,
  MB_INCARNATION,
  MB_INFO_LENGTH,
  MB_LATER,
  MB_LEAVES_SEC,
  MB_LINGER_SEC,
  MB_NAME_LENGTH,
  MB_SINCE_SEC,
  MB_SLOTS,
  MC_INCARNATION,
  MEMBER_ANONYMOUS,
  MEMBER_LISTED,
  MH_CHANGING,
  MH_SEED,
} from "../memory/layout-members.ts";
import { firstWithHash, memberChannelWord, memberWord } from "./member-lists.ts";
import type { Newcomer, Table } from "./member-table.ts";
import type { Members } from "./members-file.ts";
export function find(
  members: Members,
  index: number,
  incarnation: number,
  hash: number,
  { name, isAnonymous }: Pick<Newcomer, "name" | "isAnonymous">,
): number {
  const { u32, layout } = members;
  let record = firstWithHash(members, hash);
  for (let left = layout.records; record !== 0 && left > 0; left--) {
    const at = memberWord(members, record);
    const isSame =
      u32[at + MB_HASH] === hash &&
      u32[at + MB_CHANNEL] === index + 1 &&
      u32[at + MB_INCARNATION] === incarnation &&
      ((u32[at + MB_FLAGS]! & MEMBER_ANONYMOUS) !== 0) === isAnonymous &&
      isName(members, at, name);
    if (isSame) return record;
    record = u32[at + MB_LATER]!;
  }
  return 0;
}

function isName({ u32, u8, layout }: Members, at: number, name: Uint8Array): boolean {
  if (u32[at + MB_NAME_LENGTH] !== name.length) return false;
  const text = (at + layout.textWord) * 4;
  for (let i = 0; i < name.length; i++) if (u8[text + i] !== name[i]) return false;
  return true;
}

export const hashOf = (
  { u32 }: Members,
  index: number,
  incarnation: number,
  { name, isAnonymous }: Pick<Newcomer, "name" | "isAnonymous">,
): number =>
  Bun.hash.xxHash32(name, (u32[MH_SEED]! ^ (index * 31 + incarnation) ^ (isAnonymous ? 1 << 31 : 0)) >>> 0);

export function fill(
  members: Members,
  record: number,
  index: number,
  incarnation: number,
  hash: number,
  { name, info, isAnonymous, isListed, lingerSec }: Newcomer,
  nowSec: number,
): void {
  const { u32, u8, layout } = members;
  const at = memberWord(members, record);
  const text = (at + layout.textWord) * 4;
  const infoLength = name.length + info.length <= layout.textBytes ? info.length : 0;
  u32[at + MB_CHANNEL] = index + 1;
  u32[at + MB_INCARNATION] = incarnation;
  u32[at + MB_HASH] = hash;
  u32[at + MB_SINCE_SEC] = nowSec;
  u32[at + MB_CONNECTIONS] = 0;
  u32[at + MB_LINGER_SEC] = lingerSec;
  u32[at + MB_LEAVES_SEC] = 0;
  u32[at + MB_NAME_LENGTH] = name.length;
  u32[at + MB_INFO_LENGTH] = infoLength;
  u32[at + MB_FLAGS] = (isAnonymous ? MEMBER_ANONYMOUS : 0) | (isListed ? MEMBER_LISTED : 0);
  u32.fill(0, at + MB_SLOTS, at + MB_SLOTS + layout.slots);
  u8.set(name, text);
  if (infoLength > 0) u8.set(info, text + name.length);
}

export function count(members: Members, record: number, slot: number, change: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  u32[at + MB_SLOTS + slot] = u32[at + MB_SLOTS + slot]! + change;
  u32[at + MB_CONNECTIONS] = u32[at + MB_CONNECTIONS]! + change;
}

export function hasConnectionsHere({ u32, layout }: Members, record: number): boolean {
  const at = layout.recordsWord + record * layout.recordWords + MB_SLOTS;
  for (let slot = 0; slot < layout.workerSlots; slot++) if (u32[at + slot]! > 0) return true;
  return false;
}

export function isOfLiving({ arena, members }: Table, record: number): boolean {
  const at = memberWord(members, record);
  const index = members.u32[at + MB_CHANNEL]! - 1;
  const incarnation = members.u32[at + MB_INCARNATION]!;
  return (
    members.u32[memberChannelWord(members, index) + MC_INCARNATION] === incarnation &&
    arena.u32[channelWord(arena.layout, index) + CH_INCARNATION] === incarnation
  );
}

/** For whoever changes something: which channel, should it die at it. */
export function beginChange({ u32 }: Members, index: number): void {
  u32[MH_CHANGING] = index + 1;
}

export function endChange({ u32 }: Members): void {
  u32[MH_CHANGING] = 0;
}
