/**
 * Who is there: members of channels, each with its connections, in the table of layout-members.ts. Called
 * through MemberStore, by the workers' presence/ for those who come and go and once a second (look), by main
 * for a worker that is gone.
 *
 *   join ─► a record, or one connection more ─► event "join"
 *   leave ─► one connection less ─► the last one: it lingers ─► look(): event "leave"
 *
 * Everything is under the store's lock, so that the list and the events about it change as one, in one order
 * over all workers. A channel with too many members, too many events a second, or no room in the table tells
 * no names any more, only how many there are, once a second.
 */
import { channelWord } from "../memory/arena.ts";
import { CH_INCARNATION } from "../memory/layout-channel.ts";
import {
  COUNT_JOINS,
  COUNT_LEAVES,
  COUNT_UNLISTED,
  MB_CHANNEL,
  MB_CONNECTIONS,
  MB_LEAVES_SEC,
  MB_LINGER_SEC,
  MB_SLOTS,
  MC_BEGAN,
  MC_COUNT,
  MC_FIRST,
  MC_FULL_SEC,
  MC_INCARNATION,
  MC_LISTED,
  MC_MOST_EVENTS,
  MC_MOST_MEMBERS,
  MC_NUMBER,
  MC_RATE,
  MC_STATE,
  MH_COUNTS,
  MH_EVENTS,
} from "../memory/layout-members.ts";
import {
  freeRecord,
  linkByHash,
  linkInChannelOf,
  linkInWheel,
  memberChannelWord,
  memberWord,
  showRecord,
  takeRecord,
  unlinkByHash,
  unlinkFromChannelOf,
  unlinkFromWheel,
} from "./member-lists.ts";
import { count, fill, find, hasConnectionsHere, hashOf, isOfLiving } from "./member-records.ts";
import { type Newcomer, NO_RECORD, type Table } from "./member-table.ts";
import { degrade, isTold, noteMember, say } from "./member-telling.ts";
import { joinedBody, leftBody } from "./presence-body.ts";
import { publishPresence } from "./presence-events.ts";

/** One more connection of this slot. Its record, for leave; NO_RECORD. */
export function join(
  table: Table,
  slot: number,
  index: number,
  incarnation: number,
  who: Newcomer,
  nowSec: number,
): number {
  const { arena, members } = table;
  const { u32 } = members;
  if (arena.u32[channelWord(arena.layout, index) + CH_INCARNATION] !== incarnation) return NO_RECORD;
  const channel = settleChannel(table, index, incarnation, who);
  const hash = hashOf(members, index, incarnation, who);
  const known = find(members, index, incarnation, hash, who);
  if (known !== 0) {
    const at = memberWord(members, known);
    const isLocal = slot < members.layout.workerSlots;
    const wasHere = u32[at + MB_LEAVES_SEC] !== 0 || hasConnectionsHere(members, known);
    if (isLocal) unlinkFromWheel(members, known);
    u32[at + MB_LINGER_SEC] = who.lingerSec;
    count(members, known, slot, 1);
    if (isLocal && !wasHere) say(table, known, true);
    return known;
  }
  // A name that has no room here is one of another node's, whose configuration is another.
  const record = who.name.length > members.layout.textBytes ? 0 : takeRecord(members);
  if (record === 0) {
    u32[channel + MC_FULL_SEC] = nowSec;
    members.f64[MH_COUNTS + COUNT_UNLISTED] = members.f64[MH_COUNTS + COUNT_UNLISTED]! + 1;
    degrade(members, index);
    return NO_RECORD;
  }
  fill(members, record, index, incarnation, hash, who, nowSec);
  count(members, record, slot, 1);
  linkByHash(members, record);
  linkInChannelOf(members, record);
  showRecord(members, record);
  members.f64[MH_COUNTS + COUNT_JOINS] = members.f64[MH_COUNTS + COUNT_JOINS]! + 1;
  noteMember(table, "joined", index, record, nowSec);
  if (isTold(members, index, record, nowSec))
    publishPresence(arena, members, table.policy, index, joinedBody(members, record, nowSec), nowSec);
  if (slot < members.layout.workerSlots) say(table, record, true);
  return record;
}

/** One connection of this slot less. The last: it leaves when nobody came back in time. */
export function leave(table: Table, slot: number, record: number, nowMs: number): void {
  const { members } = table;
  const { u32 } = members;
  const at = memberWord(members, record);
  // What a death left half done was mended from what was whole.
  if (u32[at + MB_CHANNEL] === 0 || u32[at + MB_SLOTS + slot] === 0) return;
  count(members, record, slot, -1);
  if (members.layout.remoteSlots > 0) leaveNode(table, slot, record, nowMs);
  else if (u32[at + MB_CONNECTIONS] === 0) linger(table, record, nowMs);
}

/**
 * In a cluster: whoever has nobody left on this node lingers here; on others, that they do is theirs to know.
 */
function leaveNode(table: Table, slot: number, record: number, nowMs: number): void {
  const { members } = table;
  const at = memberWord(members, record);
  if (slot >= members.layout.workerSlots) endRemote(table, record, Math.floor(nowMs / 1000));
  else if (hasConnectionsHere(members, record)) return;
  else if (isOfLiving(table, record)) wait(table, record, nowMs);
  else if (members.u32[at + MB_CONNECTIONS] === 0) remove(table, record, Math.floor(nowMs / 1000));
}

/**
 * Another node has said that somebody is not there any more: he has left if he is nowhere else, lingering
 * included.
 */
export function endRemote(table: Table, record: number, nowSec: number): void {
  const { u32 } = table.members;
  const at = memberWord(table.members, record);
  if (u32[at + MB_CONNECTIONS] === 0 && u32[at + MB_LEAVES_SEC] === 0) remove(table, record, nowSec);
}

/**
 * A worker is gone, and with it its connections: as if all of them had left now. In the records `from` to
 * `to`.
 */
export function forgetSlot(
  { arena, members }: Table,
  slot: number,
  from: number,
  to: number,
  nowMs: number,
): void {
  const { u32 } = members;
  for (let record = from; record < to; record++) {
    const at = memberWord(members, record);
    const connections = u32[at + MB_SLOTS + slot]!;
    if (u32[at + MB_CHANNEL] === 0 || connections === 0) continue;
    count(members, record, slot, -connections);
    // Not a word from main: the workers tell when its time is over.
    if (!hasConnectionsHere(members, record)) wait({ arena, members }, record, nowMs);
  }
}

/** Nobody came back: out of all lists, and told. Under the lock. */
export function remove(table: Table, record: number, nowSec: number): void {
  const { arena, members, policy } = table;
  const { u32 } = members;
  const at = memberWord(members, record);
  const index = u32[at + MB_CHANNEL]! - 1;
  const isCurrent = isOfLiving(table, record);
  unlinkFromWheel(members, record);
  unlinkByHash(members, record);
  unlinkFromChannelOf(members, record);
  members.f64[MH_COUNTS + COUNT_LEAVES] = members.f64[MH_COUNTS + COUNT_LEAVES]! + 1;
  if (isCurrent) noteMember(table, "left", index, record, nowSec);
  const isNamed = isCurrent && isTold(members, index, record, nowSec);
  const body = isNamed ? leftBody(members, record, nowSec) : null;
  freeRecord(members, record);
  if (body !== null) publishPresence(arena, members, policy, index, body, nowSec);
}

function linger(table: Table, record: number, nowMs: number): void {
  const at = memberWord(table.members, record);
  if (table.members.u32[at + MB_LINGER_SEC] !== 0 && isOfLiving(table, record)) wait(table, record, nowMs);
  else remove(table, record, Math.floor(nowMs / 1000));
}

function wait({ members }: Pick<Table, "arena" | "members">, record: number, nowMs: number): void {
  const at = memberWord(members, record);
  unlinkFromWheel(members, record);
  const untilSec = Math.floor(nowMs / 1000) + 1 + members.u32[at + MB_LINGER_SEC]!;
  linkInWheel(members, record, untilSec);
}

/**
 * The words of the channel, begun anew where the record is another channel's by now: the members of that one
 * are in no list of it.
 */
function settleChannel({ members }: Table, index: number, incarnation: number, who: Newcomer): number {
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  if (u32[channel + MC_INCARNATION] !== incarnation) {
    Atomics.store(u32, channel + MC_INCARNATION, 0);
    u32[channel + MC_FIRST] = 0;
    u32[channel + MC_COUNT] = 0;
    u32[channel + MC_LISTED] = 0;
    u32[channel + MC_STATE] = 0;
    u32[channel + MC_RATE] = 0;
    u32[channel + MC_FULL_SEC] = 0;
    // Above every number that anybody has of a channel of this name.
    u32[channel + MC_BEGAN] = u32[MH_EVENTS]!;
    Atomics.store(u32, channel + MC_NUMBER, u32[MH_EVENTS]!);
    // Pairs with the first look of presenceNumber: the numbers are this channel's.
    Atomics.store(u32, channel + MC_INCARNATION, incarnation);
  }
  u32[channel + MC_MOST_MEMBERS] = who.mostMembers;
  u32[channel + MC_MOST_EVENTS] = who.mostEvents;
  return channel;
}
