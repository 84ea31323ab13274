/**
 * Who is there: members of channels, each with its connections, in the table of layout-members.ts. Called through MemberStore, by the workers'
 * presence/ for those who come and go and once a second (look), by main for a worker that is gone.
 *
 *   join ─► a record, or one connection more ─► event "join"
 *   leave ─► one connection less ─► the last one: it lingers ─► look(): event "leave"
 *
 * Everything is under the store's lock, so that the list and the events about it change as one, in one order over all workers. A channel with
 * too many members, too many events a second, or no room in the table tells no names any more, only how many there are, once a second.
 */
import { type Arena, channelWord } from "./arena.ts";
import { CH_INCARNATION } from "./layout.ts";
import {
  COUNT_DEGRADED,
  COUNT_JOINS,
  COUNT_LEAVES,
  COUNT_UNLISTED,
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
  MC_RATE_SEC,
  MC_STATE,
  MEMBER_ANONYMOUS,
  MEMBER_LISTED,
  MH_CHANGING,
  MH_COUNTS,
  MH_EVENTS,
  MH_SEED,
  STATE_COUNT_DUE,
  STATE_DEGRADED,
} from "./layout-members.ts";
import {
  firstWithHash,
  freeRecord,
  linkByHash,
  linkInChannelOf,
  linkInWheel,
  memberChannelWord,
  memberWord,
  queueChannel,
  showRecord,
  takeRecord,
  unlinkByHash,
  unlinkFromChannelOf,
  unlinkFromWheel,
} from "./member-lists.ts";
import type { Members } from "./members-file.ts";
import { copyName } from "./names.ts";
import type { StorePolicy } from "./policy.ts";
import { joinedBody, leftBody, memberNote } from "./presence-body.ts";
import { publishPresence } from "./presence-events.ts";
import { noteEvent } from "./webhook-log.ts";

/** Whoever comes, as presence/ knows it. */
export interface Newcomer {
  readonly name: Uint8Array;
  /** JSON; empty: nothing is to be known of it. */
  readonly info: Uint8Array;
  readonly isAnonymous: boolean;
  /** False: it counts, and nobody is told its name. */
  readonly isListed: boolean;
  readonly lingerSec: number;
  readonly mostMembers: number;
  /** Events a second; 0: any number. */
  readonly mostEvents: number;
}

/** Of join: there was no room for a record, or its channel is gone. */
export const NO_RECORD = 0;

/** What the functions here work on, under the lock. */
export interface Table {
  readonly arena: Arena;
  readonly members: Members;
  readonly policy: StorePolicy;
  /** What other nodes of a cluster are to hear of it, once the lock is given back; null: there are none. */
  readonly said: Said[] | null;
}

/** That somebody is on this node, or is no longer. */
export interface Said extends Newcomer {
  readonly isHere: boolean;
  readonly channel: Uint8Array;
}

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
  const record = takeRecord(members);
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

export function hasConnectionsHere({ u32, layout }: Members, record: number): boolean {
  const at = layout.recordsWord + record * layout.recordWords + MB_SLOTS;
  for (let slot = 0; slot < layout.workerSlots; slot++) if (u32[at + slot]! > 0) return true;
  return false;
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

/** In a cluster: whoever has nobody left on this node lingers here; on others, that they do is theirs to know. */
function leaveNode(table: Table, slot: number, record: number, nowMs: number): void {
  const { members } = table;
  const at = memberWord(members, record);
  if (slot >= members.layout.workerSlots) endRemote(table, record, Math.floor(nowMs / 1000));
  else if (hasConnectionsHere(members, record)) return;
  else if (isOfLiving(table, record)) wait(table, record, nowMs);
  else if (members.u32[at + MB_CONNECTIONS] === 0) remove(table, record, Math.floor(nowMs / 1000));
}

/** Another node has said that somebody is not there any more: he has left if he is nowhere else, lingering included. */
export function endRemote(table: Table, record: number, nowSec: number): void {
  const { u32 } = table.members;
  const at = memberWord(table.members, record);
  if (u32[at + MB_CONNECTIONS] === 0 && u32[at + MB_LEAVES_SEC] === 0) remove(table, record, nowSec);
}

/** A worker is gone, and with it its connections: as if all of them had left now. In the records `from` to `to`. */
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

/** Webhooks are told of each, also where subscribers are told counts alone; not of those whose names nobody is told. */
function noteMember(
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

/** Only how many there are is told from now on. */
export function degrade(members: Members, index: number): void {
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  if ((u32[channel + MC_STATE]! & STATE_DEGRADED) === 0)
    members.f64[MH_COUNTS + COUNT_DEGRADED] = members.f64[MH_COUNTS + COUNT_DEGRADED]! + 1;
  u32[channel + MC_STATE] = u32[channel + MC_STATE]! | STATE_DEGRADED | STATE_COUNT_DUE;
  queueChannel(members, index);
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

export function isOfLiving({ arena, members }: Table, record: number): boolean {
  const at = memberWord(members, record);
  const index = members.u32[at + MB_CHANNEL]! - 1;
  const incarnation = members.u32[at + MB_INCARNATION]!;
  return (
    members.u32[memberChannelWord(members, index) + MC_INCARNATION] === incarnation &&
    arena.u32[channelWord(arena.layout, index) + CH_INCARNATION] === incarnation
  );
}

/** The words of the channel, begun anew where the record is another channel's by now: the members of that one are in no list of it. */
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

/** Whether this coming or going is told by name; if not, that the count has changed is. */
function isTold(members: Members, index: number, record: number, nowSec: number): boolean {
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

export function count(members: Members, record: number, slot: number, change: number): void {
  const { u32 } = members;
  const at = memberWord(members, record);
  u32[at + MB_SLOTS + slot] = u32[at + MB_SLOTS + slot]! + change;
  u32[at + MB_CONNECTIONS] = u32[at + MB_CONNECTIONS]! + change;
}

function fill(
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

export const hashOf = (
  { u32 }: Members,
  index: number,
  incarnation: number,
  { name, isAnonymous }: Pick<Newcomer, "name" | "isAnonymous">,
): number =>
  Bun.hash.xxHash32(name, (u32[MH_SEED]! ^ (index * 31 + incarnation) ^ (isAnonymous ? 1 << 31 : 0)) >>> 0);

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

/** For whoever changes something: which channel, should it die at it. */
export function beginChange({ u32 }: Members, index: number): void {
  u32[MH_CHANGING] = index + 1;
}

export function endChange({ u32 }: Members): void {
  u32[MH_CHANGING] = 0;
}
