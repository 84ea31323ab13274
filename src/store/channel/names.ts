/**
 * Channel names in the store: hashing, comparing, writing and copying their bytes. Any byte is legal, the
 * empty name too. Names stand in their own block chain, so a record stays small and a name may be 64 KiB
 * long.
 */

import { JOURNAL_NAME_BLOCKS, JOURNAL_NAME_FIRST, JOURNAL_NAME_LAST } from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, readFence } from "../memory/arena.ts";
import {
  blocksForName,
  ChainWriter,
  givePlanned,
  planGiving,
  planTaking,
  readChain,
  takePlanned,
} from "../memory/blocks.ts";
import { CH_INCARNATION, CH_NAME_BLOCK, CH_NAME_HASH, CH_NAME_LENGTH } from "../memory/layout-channel.ts";
import { HEAD_HASH_SEED, HEAD_NAME_BLOCKS } from "../memory/layout-header.ts";
import { MORE_NEXT, MORE_OWNER, MORE_WORDS, MSG_LAST } from "../memory/layout-message.ts";
import { DamageError } from "../recovery/damage.ts";

const writer = new ChainWriter();

/** Below this a loop in JavaScript beats the native call. */
const NATIVE_HASH_FROM = 20;

/**
 * Hash of a name, seeded per store so that nobody outside can prepare names that all fall on one place. For
 * short names FNV-1a with a shift in each step (plain FNV-1a keeps collisions whatever the seed is) and
 * murmur3's finish.
 */
export function hashName(arena: Arena, name: Uint8Array): number {
  const seed = arena.u32[HEAD_HASH_SEED]!;
  if (name.length >= NATIVE_HASH_FROM) return Bun.hash.xxHash32(name, seed);
  let hash = seed | 0;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name[at]!, 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Owner mark of the blocks of a channel's name: a number that recovery can tell from most message stamps. */
export const nameOwner = (index: number): number => (0x80000000 | index) >>> 0;

/**
 * The incarnation in which the living channel `index` has this name, 0 = it has another or is gone. Without
 * the lock: the bytes may be replaced while we compare, so the answer counts only if the incarnation is the
 * same living one before and after. Pairs with retireChannel and createChannel, which change the incarnation
 * before, or after, touching the name.
 */
export function incarnationNamed(arena: Arena, index: number, name: Uint8Array, hash: number): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const incarnation = Atomics.load(u32, record + CH_INCARNATION);
  if ((incarnation & 1) === 0) return 0;
  if (u32[record + CH_NAME_HASH] !== hash || u32[record + CH_NAME_LENGTH] !== name.length) return 0;
  if (!sameBytes(arena, u32[record + CH_NAME_BLOCK]!, name)) return 0;
  readFence();
  return Atomics.load(u32, record + CH_INCARNATION) === incarnation ? incarnation : 0;
}

/** A copy of the name in a record. */
export function copyName(arena: Arena, index: number): Uint8Array<ArrayBuffer> {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const length = u32[record + CH_NAME_LENGTH]!;
  const block = u32[record + CH_NAME_BLOCK]!;
  // A length that cannot be is no reason to ask for gigabytes.
  const fits = blocksForName(layout, length) <= layout.mostNameBlocks;
  if (length === 0 || block === 0 || !fits) return new Uint8Array(0);
  const name = new Uint8Array(length);
  readChain(arena, block, MORE_WORDS, length, name);
  return name;
}

/**
 * Plans to give a free record a name in fresh blocks, which the caller has made room for: the bytes are
 * written, the blocks are not taken yet. Under the lock.
 */
export function planNaming(arena: Arena, index: number, name: Uint8Array, hash: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const count = blocksForName(layout, name.length);
  let first = 0;
  u32[JOURNAL_NAME_LAST] = 0;
  if (count > 0) {
    first = planTaking(arena, count, nameOwner(index));
    const firstWord = blockWord(layout, first);
    u32[JOURNAL_NAME_LAST] = u32[firstWord + MSG_LAST]!;
    u32[firstWord + MORE_OWNER] = nameOwner(index);
    writer.begin(layout, first, MORE_WORDS);
    writer.write(arena, name);
  }
  u32[JOURNAL_NAME_FIRST] = first;
  u32[JOURNAL_NAME_BLOCKS] = u32[HEAD_NAME_BLOCKS]! + count;
  u32[record + CH_NAME_BLOCK] = first;
  u32[record + CH_NAME_LENGTH] = name.length;
  u32[record + CH_NAME_HASH] = hash;
}

export function namePlanned(arena: Arena): void {
  const { u32, layout } = arena;
  const last = u32[JOURNAL_NAME_LAST]!;
  if (last !== 0) {
    takePlanned(arena);
    u32[blockWord(layout, last) + MORE_NEXT] = 0;
  }
  u32[HEAD_NAME_BLOCKS] = u32[JOURNAL_NAME_BLOCKS]!;
}

/** Plans to free the name of a record that nobody can find any more. Under the lock. */
export function planUnnaming(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const first = u32[record + CH_NAME_BLOCK]!;
  const count = first === 0 ? 0 : blocksForName(layout, u32[record + CH_NAME_LENGTH]!);
  if (count > layout.blocks) throw new DamageError("a name is longer than the store");
  let last = first;
  for (let seen = 1; seen < count; seen++) last = u32[blockWord(layout, last) + MORE_NEXT]!;
  u32[JOURNAL_NAME_FIRST] = first;
  u32[JOURNAL_NAME_LAST] = last;
  u32[JOURNAL_NAME_BLOCKS] = u32[HEAD_NAME_BLOCKS]! - count;
  planGiving(arena, count);
}

export function unnamePlanned(arena: Arena, index: number): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const first = u32[JOURNAL_NAME_FIRST]!;
  u32[record + CH_NAME_BLOCK] = 0;
  u32[record + CH_NAME_LENGTH] = 0;
  u32[HEAD_NAME_BLOCKS] = u32[JOURNAL_NAME_BLOCKS]!;
  if (first !== 0) givePlanned(arena, first, u32[JOURNAL_NAME_LAST]!);
}

function sameBytes(arena: Arena, block: number, name: Uint8Array): boolean {
  const { u8, u32, layout } = arena;
  let compared = 0;
  while (compared < name.length) {
    if (block === 0 || block > layout.blocks) return false;
    const start = (blockWord(layout, block) + MORE_WORDS) * 4;
    const piece = Math.min(layout.moreRoomBytes, name.length - compared);
    for (let at = 0; at < piece; at++) {
      if (u8[start + at] !== name[compared + at]) return false;
    }
    compared += piece;
    block = u32[blockWord(layout, block) + MORE_NEXT]!;
  }
  return true;
}
