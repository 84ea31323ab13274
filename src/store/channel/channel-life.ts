/**
 * The life of a channel's record: free, living, in delete, in trash, free again. Each step is planned, armed
 * and carried out (journal.ts), so the exported carryOut… are called here, and by redo.ts after a death. Used
 * by open, sweep, idle-channels and publication, all under the lock.
 */

import {
  arm,
  disarm,
  FREE_CHANNEL,
  JOURNAL_CHANNEL,
  JOURNAL_FROM,
  JOURNAL_INCARNATION,
  JOURNAL_RESTS_SINCE,
  JOURNAL_STATE,
  JOURNAL_WILDCARDS,
  MOVE_CHANNEL,
  OPEN_CHANNEL,
} from "../lock/journal.ts";
import { type Arena, channelWord, growWide, setWide, wide, writeFence } from "../memory/arena.ts";
import { blocksForName } from "../memory/blocks.ts";
import { insertEntry, removeEntry } from "../memory/hash-table.ts";
import {
  CH_ACTIVE_UNTIL,
  CH_ATTENDED,
  CH_BASE,
  CH_CLASS,
  CH_CREATED,
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_NEWEST,
  CH_NEWEST_STORED,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_RESTS_SINCE,
  CH_SKIP_FAR,
  CH_SKIP_NEAR,
  CH_STATE,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_SUBSCRIBERS,
  CH_VERSION,
  CLASS_WILDCARD,
  STATE_DELETED,
  STATE_FREE,
  STATE_LIVE,
  STATE_TRASHED,
} from "../memory/layout-channel.ts";
import { HEAD_FORGOTTEN_SEC } from "../memory/layout-cluster.ts";
import {
  HEAD_CREATED,
  HEAD_DELETED,
  HEAD_LIVING,
  HEAD_NAME_BLOCKS,
  HEAD_TRASHED,
  HEAD_WILDCARDS,
} from "../memory/layout-header.ts";
import { nextSerial } from "../message/ring.ts";
import type { StorePolicy } from "../policy.ts";
import {
  firstOfList,
  givePlannedRecord,
  joinPlanned,
  leavePlanned,
  planGivingRecord,
  planJoining,
  planLeaving,
  planTakingRecord,
  takePlannedRecord,
} from "./channel-lists.ts";
import { activeUntil } from "./channels.ts";
import { makeRoom } from "./evict.ts";
import { namePlanned, planNaming, planUnnaming, unnamePlanned } from "./names.ts";

/** What is 0 in a channel that nothing was published to. */
const EMPTY_WORDS = [
  CH_OLDEST,
  CH_NEWEST,
  CH_OLDEST_STORED,
  CH_ATTENDED,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_LAST_TIME,
  CH_LAST_TAG,
  CH_SKIP_NEAR,
  CH_SKIP_FAR,
  CH_GONE_TIME,
  CH_GONE_TAG,
  CH_NEWEST_STORED,
  CH_NEWEST_STORED + 1,
];

/** No record or no blocks left for another channel. */
export const NO_ROOM = -2;

/** Makes a channel whatever the limit of its class says: its index, or NO_ROOM (-2). Under the lock. */
export function createChannel(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  hash: number,
  channelClass: number,
  nowSec: number,
): number {
  const { u32, layout } = arena;
  const nameBlocks = blocksForName(layout, name.length);
  if (u32[HEAD_NAME_BLOCKS]! + nameBlocks > layout.mostNameBlocks) return NO_ROOM;
  if (!makeRoom(arena, nameBlocks, nowSec)) return NO_ROOM;
  const index = planRecord(arena);
  if (index < 0) return NO_ROOM;
  planNaming(arena, index, name, hash);
  arena.fault?.("open-named");
  fillRecord(arena, channelWord(layout, index), policy, channelClass, nowSec);
  planOpening(arena, index);
  arm(arena, OPEN_CHANNEL);
  carryOutOpening(arena);
  disarm(arena);
  return index;
}

/** What is written to a record that is still free. */
function fillRecord(
  arena: Arena,
  record: number,
  policy: StorePolicy,
  channelClass: number,
  nowSec: number,
): void {
  const { u32, layout } = arena;
  setWide(u32, record + CH_CREATED, wide(u32, HEAD_CREATED) + 1);
  // In a clustered store ids are positions, the same on every node.
  setWide(u32, record + CH_BASE, layout.clusterWord === 0 ? nextSerial(arena) - 1 : 0);
  setWide(u32, record + CH_LAST_ID, 0);
  for (const word of EMPTY_WORDS) u32[record + word] = 0;
  u32.fill(0, record + CH_SUBSCRIBERS, record + layout.channelWords);
  u32[record + CH_ACTIVE_UNTIL] = activeUntil(policy, nowSec);
  u32[record + CH_RESTS_SINCE] = nowSec;
  u32[record + CH_CLASS] = channelClass;
  // A walk that began in the record's last channel, which was empty, must not end in this one. Pairs with the
  // second look of collect.
  Atomics.store(u32, record + CH_VERSION, (u32[record + CH_VERSION]! + 2) >>> 0);
}

function planOpening(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  u32[JOURNAL_CHANNEL] = index;
  u32[JOURNAL_INCARNATION] = (u32[record + CH_INCARNATION]! + 1) >>> 0;
  u32[JOURNAL_WILDCARDS] = u32[HEAD_WILDCARDS]! + (u32[record + CH_CLASS] === CLASS_WILDCARD ? 1 : 0);
  planJoining(arena, HEAD_LIVING);
}

export function carryOutOpening(arena: Arena): void {
  const { u32, layout } = arena;
  const index = u32[JOURNAL_CHANNEL]!;
  const record = channelWord(layout, index);
  namePlanned(arena);
  takePlannedRecord(arena);
  growWide(arena, HEAD_CREATED, wide(u32, record + CH_CREATED));
  u32[record + CH_STATE] = STATE_LIVE;
  arena.fault?.("open-stated");
  // Everything above is visible to whoever sees the odd incarnation. Pairs with isLive and isNamed.
  Atomics.store(u32, record + CH_INCARNATION, u32[JOURNAL_INCARNATION]!);
  arena.fault?.("open-live");
  joinPlanned(arena, index);
  u32[HEAD_WILDCARDS] = u32[JOURNAL_WILDCARDS]!;
  arena.fault?.("open-listed");
  insertEntry(arena, index);
}

/** A free record; when there is none, the one that has been in the trash for the longest time is made one. */
function planRecord(arena: Arena): number {
  const index = planTakingRecord(arena);
  if (index >= 0) return index;
  const resting = firstOfList(arena, HEAD_TRASHED);
  if (resting < 0) return -1;
  freeRecord(arena, resting);
  return planTakingRecord(arena);
}

/**
 * Takes a living channel out of everything: it cannot be found any more, its incarnation is no longer live.
 * Its messages and name stay until the sweep. `list` is HEAD_DELETED (push-stream spec 2.7) or HEAD_TRASHED
 * (6.4, empty already). Under the lock.
 */
export function retireChannel(
  arena: Arena,
  index: number,
  list: typeof HEAD_DELETED | typeof HEAD_TRASHED,
  nowSec: number,
): void {
  planRetiring(arena, index, list, nowSec);
  arm(arena, MOVE_CHANNEL);
  carryOutMove(arena);
  disarm(arena);
}

export function planRetiring(
  arena: Arena,
  index: number,
  list: typeof HEAD_DELETED | typeof HEAD_TRASHED,
  nowSec: number,
): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  if (layout.clusterWord !== 0) rememberForgotten(u32, record);
  planMove(arena, index, HEAD_LIVING, list, nowSec);
  u32[JOURNAL_INCARNATION] = (u32[record + CH_INCARNATION]! + 1) >>> 0;
  u32[JOURNAL_WILDCARDS] = u32[HEAD_WILDCARDS]! - (u32[record + CH_CLASS] === CLASS_WILDCARD ? 1 : 0);
}

/**
 * Who stood in a channel that had nothing, and comes back to another node, may have missed what this one no
 * longer knows (replica.ts).
 */
function rememberForgotten(u32: Uint32Array, record: number): void {
  const lastSec = u32[record + CH_LAST_TIME]!;
  if (lastSec > u32[HEAD_FORGOTTEN_SEC]!) u32[HEAD_FORGOTTEN_SEC] = lastSec;
}

function planMove(arena: Arena, index: number, from: number, to: number, nowSec: number): void {
  const { u32, layout } = arena;
  u32[JOURNAL_CHANNEL] = index;
  u32[JOURNAL_STATE] = to === HEAD_DELETED ? STATE_DELETED : STATE_TRASHED;
  u32[JOURNAL_RESTS_SINCE] = nowSec;
  u32[JOURNAL_INCARNATION] = u32[channelWord(layout, index) + CH_INCARNATION]!;
  u32[JOURNAL_WILDCARDS] = u32[HEAD_WILDCARDS]!;
  planLeaving(arena, from, index);
  planJoining(arena, to);
}

export function carryOutMove(arena: Arena): void {
  const { u32, layout } = arena;
  const index = u32[JOURNAL_CHANNEL]!;
  const record = channelWord(layout, index);
  u32[record + CH_RESTS_SINCE] = u32[JOURNAL_RESTS_SINCE]!;
  u32[record + CH_STATE] = u32[JOURNAL_STATE]!;
  arena.fault?.("retire-stated");
  if (u32[JOURNAL_FROM] === HEAD_LIVING) {
    // Pairs with isLive and isNamed: from here on nobody takes the channel for living.
    Atomics.store(u32, record + CH_INCARNATION, u32[JOURNAL_INCARNATION]!);
    writeFence();
    removeEntry(arena, index);
    u32[HEAD_WILDCARDS] = u32[JOURNAL_WILDCARDS]!;
  }
  leavePlanned(arena);
  joinPlanned(arena, index);
}

/** Moves an emptied deleted channel to the trash. Under the lock. */
export function trashDeleted(arena: Arena, index: number, nowSec: number): void {
  planMove(arena, index, HEAD_DELETED, HEAD_TRASHED, nowSec);
  arm(arena, MOVE_CHANNEL);
  carryOutMove(arena);
  disarm(arena);
}

/** Frees a record that is in the trash, with its name. Under the lock. */
export function freeRecord(arena: Arena, index: number): void {
  arena.u32[JOURNAL_CHANNEL] = index;
  planLeaving(arena, HEAD_TRASHED, index);
  planUnnaming(arena, index);
  planGivingRecord(arena);
  arm(arena, FREE_CHANNEL);
  carryOutFreeing(arena);
  disarm(arena);
}

export function carryOutFreeing(arena: Arena): void {
  const { u32, layout } = arena;
  const index = u32[JOURNAL_CHANNEL]!;
  leavePlanned(arena);
  u32[channelWord(layout, index) + CH_STATE] = STATE_FREE;
  unnamePlanned(arena, index);
  givePlannedRecord(arena, index);
}
