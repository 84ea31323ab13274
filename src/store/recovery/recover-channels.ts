/**
 * The channel half of a rebuild: which records live, rest or are free, their order, names and the hash table.
 * Called by recover only, before the messages, which need to know what lives.
 */

import { givePlannedRecord, joinPlanned, planGivingRecord, planJoining } from "../channel/channel-lists.ts";
import { hashName, nameOwner } from "../channel/names.ts";
import { type Arena, blockWord, channelWord, growWide, wide } from "../memory/arena.ts";
import { blocksForName, readChain } from "../memory/blocks.ts";
import { insertEntry } from "../memory/hash-table.ts";
import {
  CH_CLASS,
  CH_CREATED,
  CH_INCARNATION,
  CH_NAME_BLOCK,
  CH_NAME_HASH,
  CH_NAME_LENGTH,
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
  CLASS_WILDCARD,
  STATE_DELETED,
  STATE_FREE,
  STATE_LIVE,
  STATE_TRASHED,
} from "../memory/layout-channel.ts";
import {
  HEAD_CREATED,
  HEAD_DELETED,
  HEAD_FREE_CHANNEL,
  HEAD_LIVING,
  HEAD_NAME_BLOCKS,
  HEAD_TRASHED,
  HEAD_WILDCARDS,
  LIST_COUNT,
} from "../memory/layout-header.ts";
import { MORE_NEXT, MORE_OWNER, MORE_WORDS, MSG_STAMP } from "../memory/layout-message.ts";

/** Made anew as messages are linked again. */
const LINKS = [
  CH_OLDEST,
  CH_NEWEST,
  CH_OLDEST_STORED,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_NEWEST_STORED,
  CH_NEWEST_STORED + 1,
  CH_SKIP_NEAR,
  CH_SKIP_FAR,
];

/** Makes the channel lists and the hash table anew; marks the blocks of names in `used`. */
export function rebuildChannels(arena: Arena, used: Uint8Array): void {
  const { u32, layout } = arena;
  for (const list of [HEAD_LIVING, HEAD_DELETED, HEAD_TRASHED]) u32.fill(0, list, list + LIST_COUNT + 1);
  u32[HEAD_FREE_CHANNEL] = 0;
  u32[HEAD_NAME_BLOCKS] = 0;
  u32.fill(0, layout.hashWord, layout.hashWord + layout.hashSize);
  const living: number[] = [];
  const deleted: number[] = [];
  const trashed: number[] = [];
  for (let index = layout.channels - 1; index >= 0; index--) {
    const record = channelWord(layout, index);
    for (const word of LINKS) u32[record + word] = 0;
    settleState(arena, index, used);
    const state = u32[record + CH_STATE];
    if (state === STATE_LIVE) living.push(index);
    else if (state === STATE_DELETED) deleted.push(index);
    else if (state === STATE_TRASHED) trashed.push(index);
    else {
      planGivingRecord(arena);
      givePlannedRecord(arena, index);
    }
  }
  listLiving(arena, living);
  listBy(arena, HEAD_DELETED, deleted, (record) => u32[record + CH_RESTS_SINCE]!);
  listBy(arena, HEAD_TRASHED, trashed, (record) => u32[record + CH_RESTS_SINCE]!);
}

/**
 * Brings state, incarnation and name of a record into agreement. The state decides, except that creation sets
 * the odd incarnation last: a record that says it lives but has an even one was not finished, and nobody
 * knows its channel.
 */
function settleState(arena: Arena, index: number, used: Uint8Array): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const state = u32[record + CH_STATE];
  const isOdd = (u32[record + CH_INCARNATION]! & 1) === 1;
  const named = state !== STATE_FREE && markName(arena, index, used);
  const known = state === STATE_LIVE || state === STATE_DELETED || state === STATE_TRASHED;
  if (!named || !known || (state === STATE_LIVE && !isOdd)) {
    if (named) unmarkName(arena, index, used);
    u32[record + CH_STATE] = STATE_FREE;
    u32[record + CH_NAME_BLOCK] = 0;
    u32[record + CH_NAME_LENGTH] = 0;
  }
  const shouldBeOdd = u32[record + CH_STATE] === STATE_LIVE;
  if (isOdd !== shouldBeOdd)
    Atomics.store(u32, record + CH_INCARNATION, (u32[record + CH_INCARNATION]! + 1) >>> 0);
}

/** True, and the name's blocks marked, when the name of a record is whole and has the hash it should have. */
function markName(arena: Arena, index: number, used: Uint8Array): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const length = u32[record + CH_NAME_LENGTH]!;
  const count = blocksForName(layout, length);
  if (count > layout.blocks) return false;
  // The empty name has no block, whatever the word says.
  if (count === 0) u32[record + CH_NAME_BLOCK] = 0;
  let block = u32[record + CH_NAME_BLOCK]!;
  for (let seen = 0; seen < count; seen++) {
    if (block === 0 || block > layout.blocks || used[block] !== 0) return false;
    const at = blockWord(layout, block);
    if (u32[at + MSG_STAMP] !== 0 || u32[at + MORE_OWNER] !== nameOwner(index)) return false;
    block = u32[at + MORE_NEXT]!;
  }
  const name = new Uint8Array(length);
  if (length > 0) readChain(arena, u32[record + CH_NAME_BLOCK]!, MORE_WORDS, length, name);
  if (hashName(arena, name) !== u32[record + CH_NAME_HASH]) return false;
  markBlocks(arena, index, used, 1);
  u32[HEAD_NAME_BLOCKS] = u32[HEAD_NAME_BLOCKS]! + count;
  return true;
}

function unmarkName(arena: Arena, index: number, used: Uint8Array): void {
  const { u32, layout } = arena;
  const count = blocksForName(layout, u32[channelWord(layout, index) + CH_NAME_LENGTH]!);
  markBlocks(arena, index, used, 0);
  u32[HEAD_NAME_BLOCKS] = u32[HEAD_NAME_BLOCKS]! - count;
}

function markBlocks(arena: Arena, index: number, used: Uint8Array, mark: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const count = blocksForName(layout, u32[record + CH_NAME_LENGTH]!);
  let block = u32[record + CH_NAME_BLOCK]!;
  for (let seen = 0; seen < count; seen++) {
    used[block] = mark;
    block = u32[blockWord(layout, block) + MORE_NEXT]!;
  }
}

/** Living channels in creation order, each entered in the hash table and counted in its class. */
function listLiving(arena: Arena, living: number[]): void {
  const { u32 } = arena;
  let created = wide(u32, HEAD_CREATED);
  let wildcards = 0;
  listBy(arena, HEAD_LIVING, living, (record) => wide(u32, record + CH_CREATED));
  for (const index of living) {
    const record = channelWord(arena.layout, index);
    insertEntry(arena, index);
    created = Math.max(created, wide(u32, record + CH_CREATED));
    if (u32[record + CH_CLASS] === CLASS_WILDCARD) wildcards++;
  }
  growWide(arena, HEAD_CREATED, created);
  u32[HEAD_WILDCARDS] = wildcards;
}

function listBy(arena: Arena, list: number, indices: number[], keyOf: (record: number) => number): void {
  const { layout } = arena;
  indices.sort((a, b) => keyOf(channelWord(layout, a)) - keyOf(channelWord(layout, b)));
  for (const index of indices) {
    planJoining(arena, list);
    joinPlanned(arena, index);
  }
}
