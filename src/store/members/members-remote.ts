/**
 * Members on the other nodes of a cluster. Each node says in the log when somebody comes to it, and when he
 * has left it and did not come back (Said); all nodes hear that in one order, its own words included, and
 * count a node on which somebody is like a connection, in a slot of its own behind those of the workers. So
 * one member is one on all nodes together, and has left when he is on none. Called through MemberStore, under
 * the lock.
 */
import {
  MB_CHANNEL,
  MB_LEAVES_SEC,
  MB_SLOTS,
  MH_NODES,
  MN_LIFE,
  MN_NAME,
  MN_WORDS,
} from "../memory/layout-members.ts";
import { memberWord, unlinkFromWheel } from "./member-lists.ts";
import { beginChange, count, endChange, find, hasConnectionsHere, hashOf } from "./member-records.ts";
import type { Newcomer, Table } from "./member-table.ts";
import { say } from "./member-telling.ts";
import { endRemote, join, leave } from "./members.ts";
import type { Members } from "./members-file.ts";

/** Of a name or a life: two words, never both 0. */
export type Digest = readonly [low: number, high: number];

export function digestOf(text: string): Digest {
  const hash = Bun.hash.wyhash(text);
  return [Number(hash & 0xffffffffn) || 1, Number(hash >> 32n)];
}

const nodeWord = (place: number): number => MH_NODES + place * MN_WORDS;

const isDigest = ({ u32 }: Members, word: number, [low, high]: Digest): boolean =>
  u32[word] === low && u32[word + 1] === high;

/**
 * Slot of a node, -1: it is not known, and with `isNew` there is no place for it. `isOther`: what it said was
 * said in another life.
 */
export function slotOfNode(
  members: Members,
  node: Digest,
  life: Digest,
  isNew: boolean,
): { readonly slot: number; readonly isOther: boolean } {
  const { u32, layout } = members;
  let free = -1;
  for (let place = 0; place < layout.remoteSlots; place++) {
    const word = nodeWord(place);
    if (isDigest(members, word + MN_NAME, node)) {
      const isOther = !isDigest(members, word + MN_LIFE, life);
      [u32[word + MN_LIFE], u32[word + MN_LIFE + 1]] = life;
      return { slot: layout.workerSlots + place, isOther };
    }
    if (free < 0 && u32[word + MN_NAME] === 0) free = place;
  }
  if (!isNew || free < 0) return { slot: -1, isOther: false };
  const word = nodeWord(free);
  [u32[word + MN_LIFE], u32[word + MN_LIFE + 1]] = life;
  [u32[word + MN_NAME], u32[word + MN_NAME + 1]] = node;
  return { slot: layout.workerSlots + free, isOther: false };
}

export function forgetNode({ u32, layout }: Members, slot: number): void {
  const word = nodeWord(slot - layout.workerSlots);
  u32.fill(0, word, word + MN_WORDS);
}

/** Another node has somebody: his record, 0 where there is no room. Heard twice it is the same. */
export function hearIn(
  table: Table,
  slot: number,
  index: number,
  incarnation: number,
  who: Newcomer,
  nowSec: number,
): number {
  const { members } = table;
  const known = find(members, index, incarnation, hashOf(members, index, incarnation, who), who);
  if (known !== 0 && members.u32[memberWord(members, known) + MB_SLOTS + slot]! > 0) return known;
  beginChange(members, index);
  const record = join(table, slot, index, incarnation, who, nowSec);
  endChange(members);
  return record;
}

/**
 * Somebody is no longer on a node: another one, or with `slot` -1 this one, which may have him again by now,
 * and says so.
 */
export function hearOut(
  table: Table,
  slot: number,
  index: number,
  incarnation: number,
  who: Newcomer,
  nowMs: number,
): void {
  const { members } = table;
  const record = find(members, index, incarnation, hashOf(members, index, incarnation, who), who);
  if (record === 0) return;
  beginChange(members, index);
  if (slot >= 0) leave(table, slot, record, nowMs);
  else if (hasConnectionsHere(members, record)) say(table, record, true);
  else {
    unlinkFromWheel(members, record);
    endRemote(table, record, Math.floor(nowMs / 1000));
  }
  endChange(members);
}

/**
 * What a node said holds no more, in the records `from` to `to`: all of it, or what `isOver` says.
 */
export function forgetRemote(
  table: Table,
  slot: number,
  from: number,
  to: number,
  nowSec: number,
  isOver: (record: number, index: number) => boolean = () => true,
): void {
  const { members } = table;
  const { u32 } = members;
  for (let record = from; record < to; record++) {
    const at = memberWord(members, record);
    const connections = u32[at + MB_SLOTS + slot]!;
    if (u32[at + MB_CHANNEL] === 0 || connections === 0) continue;
    if (!isOver(record, u32[at + MB_CHANNEL]! - 1)) continue;
    beginChange(members, u32[at + MB_CHANNEL]! - 1);
    count(members, record, slot, -connections);
    endRemote(table, record, nowSec);
    endChange(members);
  }
}

/** Of nodes that are known. */
export function slotsOfNodes({ u32, layout }: Members): number[] {
  const places = Array.from({ length: layout.remoteSlots }, (_, place) => place);
  return places
    .filter((place) => u32[nodeWord(place) + MN_NAME] !== 0)
    .map((place) => layout.workerSlots + place);
}

/** -1: it is not known. */
export function slotNamed(members: Members, node: Digest): number {
  const { layout } = members;
  for (let place = 0; place < layout.remoteSlots; place++)
    if (isDigest(members, nodeWord(place) + MN_NAME, node)) return layout.workerSlots + place;
  return -1;
}

/** Says once more who is on this node, in the records `from` to `to`. */
export function sayAll(table: Table, from: number, to: number): void {
  const { members } = table;
  for (let record = from; record < to; record++) {
    const at = memberWord(members, record);
    if (members.u32[at + MB_CHANNEL] === 0) continue;
    if (members.u32[at + MB_LEAVES_SEC] !== 0 || hasConnectionsHere(members, record))
      say(table, record, true);
  }
}
