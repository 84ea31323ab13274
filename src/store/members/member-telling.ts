/**
 * Who is told of members: subscribers by events, or by counts where there are too many (members-look.ts tells
 * those), webhooks, and other nodes of a cluster. For members.ts and its neighbours, under the lock.
 */

import { copyName } from "../channel/names.ts";
import {
  COUNT_DEGRADED,
  MB_CHANNEL,
  MB_FLAGS,
  MB_INFO_LENGTH,
  MB_LINGER_SEC,
  MB_NAME_LENGTH,
  MC_COUNT,
  MC_LISTED,
  MC_MOST_EVENTS,
  MC_MOST_MEMBERS,
  MC_RATE,
  MC_RATE_SEC,
  MC_STATE,
  MEMBER_ANONYMOUS,
  MEMBER_LISTED,
  MH_COUNTS,
  STATE_COUNT_DUE,
  STATE_DEGRADED,
} from "../memory/layout-members.ts";
import { noteEvent } from "../webhook/webhook-log.ts";
import { memberChannelWord, memberWord, queueChannel } from "./member-lists.ts";
import type { Table } from "./member-table.ts";
import type { Members } from "./members-file.ts";
import { memberNote } from "./presence-body.ts";
/** Whether this coming or going is told by name; if not, that the count has changed is. */
export function isTold(members: Members, index: number, record: number, nowSec: number): boolean {
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  const isListed = (u32[memberWord(members, record) + MB_FLAGS]! & MEMBER_LISTED) !== 0;
  if (u32[channel + MC_RATE_SEC] !== nowSec) {
    u32[channel + MC_RATE_SEC] = nowSec;
    u32[channel + MC_RATE] = 0;
  }
  u32[channel + MC_RATE] = u32[channel + MC_RATE]! + 1;
  const most = u32[channel + MC_MOST_EVENTS]!;
  const isTooMany =
    u32[channel + MC_COUNT]! > u32[channel + MC_MOST_MEMBERS]! ||
    (most > 0 && u32[channel + MC_RATE]! > most);
  if (isTooMany && isListed && u32[channel + MC_LISTED]! > 0) degrade(members, index);
  if (isListed && (u32[channel + MC_STATE]! & STATE_DEGRADED) === 0) return true;
  u32[channel + MC_STATE] = u32[channel + MC_STATE]! | STATE_COUNT_DUE;
  queueChannel(members, index);
  return false;
}

/** Only how many there are is told from now on. */
export function degrade(members: Members, index: number): void {
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  if ((u32[channel + MC_STATE]! & STATE_DEGRADED) === 0)
    members.f64[MH_COUNTS + COUNT_DEGRADED] = members.f64[MH_COUNTS + COUNT_DEGRADED]! + 1;
  u32[channel + MC_STATE] = u32[channel + MC_STATE]! | STATE_DEGRADED | STATE_COUNT_DUE;
  queueChannel(members, index);
}

/**
 * Webhooks are told of each, also where subscribers are told counts alone; not of those whose names nobody is
 * told.
 */
export function noteMember(
  { arena, members, policy }: Table,
  kind: "joined" | "left",
  index: number,
  record: number,
  nowSec: number,
): void {
  const tells = policy.webhooks?.tellsMembers;
  if (tells === undefined || (members.u32[memberWord(members, record) + MB_FLAGS]! & MEMBER_LISTED) === 0)
    return;
  const channel = copyName(arena, index);
  if (!tells(channel, kind)) return;
  noteEvent(arena, policy, { kind, channel, members: memberNote(members, record, nowSec) }, nowSec);
}

/** To other nodes, if there are any. */
export function say({ arena, members, said }: Table, record: number, isHere: boolean): void {
  if (said === null || members.layout.remoteSlots === 0) return;
  const { u32, u8, layout } = members;
  const at = memberWord(members, record);
  const index = u32[at + MB_CHANNEL]! - 1;
  const channel = memberChannelWord(members, index);
  const text = (at + layout.textWord) * 4;
  const nameEnd = text + u32[at + MB_NAME_LENGTH]!;
  said.push({
    isHere,
    channel: copyName(arena, index),
    name: u8.slice(text, nameEnd),
    info: u8.slice(nameEnd, nameEnd + u32[at + MB_INFO_LENGTH]!),
    isAnonymous: (u32[at + MB_FLAGS]! & MEMBER_ANONYMOUS) !== 0,
    isListed: (u32[at + MB_FLAGS]! & MEMBER_LISTED) !== 0,
    lingerSec: u32[at + MB_LINGER_SEC]!,
    mostMembers: u32[channel + MC_MOST_MEMBERS]!,
    mostEvents: u32[channel + MC_MOST_EVENTS]!,
  });
}
