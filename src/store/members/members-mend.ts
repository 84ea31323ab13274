/**
 * Every list of the member table made anew from its records, after a process died in the middle of a change.
 * Called under the lock by whoever comes next (MemberStore): some 50 ns a record, and it happens after a kill
 * -9 inside of a microsecond.
 *
 * The channel that was being changed may have told of it, or not: its readers are told to read the list
 * again.
 */

import { beat } from "../lock/lock.ts";
import { type Arena, channelWord } from "../memory/arena.ts";
import { CH_INCARNATION } from "../memory/layout-channel.ts";
import {
  MB_CHANNEL,
  MB_CONNECTIONS,
  MB_INCARNATION,
  MB_LEAVES_SEC,
  MB_LINGER_SEC,
  MB_NEXT,
  MB_SLOTS,
  MB_STAMP,
  MC_COUNT,
  MC_DUE,
  MC_FIRST,
  MC_INCARNATION,
  MC_LISTED,
  MC_STATE,
  MH_CHANGING,
  MH_DUE,
  MH_DUE_COUNT,
  MH_DUE_LAST,
  MH_FREE,
  MH_USED,
  STATE_RESET_DUE,
} from "../memory/layout-members.ts";
import {
  linkByHash,
  linkInChannelOf,
  linkInWheel,
  memberChannelWord,
  memberWord,
  queueChannel,
  READ_AGAIN,
} from "./member-lists.ts";
import { hasConnectionsHere } from "./member-records.ts";
import type { Members } from "./members-file.ts";

export function mendMembers(arena: Arena, members: Members, nowSec: number): void {
  const { u32, layout } = members;
  u32.fill(0, layout.wheelWord, layout.channelsWord);
  u32.fill(0, layout.hashWord, layout.recordsWord);
  u32.fill(READ_AGAIN, layout.readersWord, layout.wheelWord);
  u32[MH_FREE] = 0;
  u32[MH_USED] = 0;
  u32[MH_DUE] = 0;
  u32[MH_DUE_LAST] = 0;
  u32[MH_DUE_COUNT] = 0;
  for (let index = 0; index < layout.channels; index++) mendChannel(arena, members, index);
  for (let record = layout.records; record > 0; record--) {
    beat(arena);
    mendRecord(members, record, nowSec);
  }
  u32[MH_CHANGING] = 0;
}

function mendChannel(arena: Arena, members: Members, index: number): void {
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  u32[channel + MC_FIRST] = 0;
  u32[channel + MC_COUNT] = 0;
  u32[channel + MC_LISTED] = 0;
  u32[channel + MC_DUE] = 0;
  if (u32[MH_CHANGING] === index + 1) u32[channel + MC_STATE] = u32[channel + MC_STATE]! | STATE_RESET_DUE;
  const isCurrent =
    u32[channel + MC_INCARNATION] === arena.u32[channelWord(arena.layout, index) + CH_INCARNATION];
  if (isCurrent && u32[channel + MC_STATE] !== 0) queueChannel(members, index);
}

/** A record whose stamp is odd was being written, or was on its way out. */
function mendRecord(members: Members, record: number, nowSec: number): void {
  const { u32, layout } = members;
  const at = memberWord(members, record);
  const channel = u32[at + MB_CHANNEL]!;
  if ((u32[at + MB_STAMP]! & 1) === 1 || channel === 0 || channel > layout.channels) {
    Atomics.store(u32, at + MB_STAMP, (u32[at + MB_STAMP]! | 1) >>> 0);
    u32[at + MB_CHANNEL] = 0;
    u32[at + MB_NEXT] = u32[MH_FREE]!;
    u32[MH_FREE] = record;
    return;
  }
  u32[MH_USED] = u32[MH_USED]! + 1;
  let connections = 0;
  for (let slot = 0; slot < layout.slots; slot++) connections += u32[at + MB_SLOTS + slot]!;
  u32[at + MB_CONNECTIONS] = connections;
  const leavesSec = u32[at + MB_LEAVES_SEC]!;
  u32[at + MB_LEAVES_SEC] = 0;
  linkByHash(members, record);
  const isCurrent =
    u32[memberChannelWord(members, channel - 1) + MC_INCARNATION] === u32[at + MB_INCARNATION];
  if (isCurrent) linkInChannelOf(members, record);
  // Of one who is on other nodes alone it may have been forgotten that he lingers here: that is found out
  // once more.
  const isHere = hasConnectionsHere(members, record);
  if (!isHere && (connections === 0 || leavesSec !== 0))
    linkInWheel(members, record, leavesSec || nowSec + 1 + u32[at + MB_LINGER_SEC]!);
}
