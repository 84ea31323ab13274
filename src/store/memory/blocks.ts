/**
 * The free list and the byte chains. Used by publish (messages) and names (channel names), under the lock.
 * One size of block and one list instead of size classes: O(1) both ways, and nothing can fragment.
 */

import { JOURNAL_FREE_BLOCK, JOURNAL_FREE_BLOCKS } from "../lock/journal.ts";
import { DamageError } from "../recovery/damage.ts";
import { type Arena, blockWord } from "./arena.ts";
import type { Layout } from "./layout.ts";
import { HEAD_FREE_BLOCK, HEAD_FREE_BLOCKS } from "./layout-header.ts";
import { MORE_NEXT, MORE_OWNER, MORE_WORDS, MSG_LAST } from "./layout-message.ts";

/** Up to here a byte loop beats a native call. */
const LOOP_BYTES = 24;

/** Blocks a message of this many bytes takes. */
export function blocksForMessage(layout: Layout, bytes: number): number {
  return bytes <= layout.firstRoomBytes
    ? 1
    : 1 + Math.ceil((bytes - layout.firstRoomBytes) / layout.moreRoomBytes);
}

/** Blocks a name of this many bytes takes: none when empty. */
export const blocksForName = (layout: Layout, bytes: number): number =>
  Math.ceil(bytes / layout.moreRoomBytes);

/**
 * Plans to take the first `count` ≥ 1 blocks off the free list, marked with their owner; the caller has made
 * sure they are there. Returns the first, whose MSG_LAST (the same word as MORE_OWNER) is the last one. They
 * may be written to behind their NEXT, and are still free.
 */
export function planTaking(arena: Arena, count: number, owner: number): number {
  const { u32 } = arena;
  u32[JOURNAL_FREE_BLOCK] = u32[HEAD_FREE_BLOCK]!;
  u32[JOURNAL_FREE_BLOCKS] = u32[HEAD_FREE_BLOCKS]!;
  return planTakingMore(arena, count, owner);
}

/** The same in a change that has planned to take some. */
export function planTakingMore({ u32, layout }: Arena, count: number, owner: number): number {
  const first = u32[JOURNAL_FREE_BLOCK]!;
  let last = first;
  for (let taken = 1; taken < count; taken++) {
    last = u32[blockWord(layout, last) + MORE_NEXT]!;
    u32[blockWord(layout, last) + MORE_OWNER] = owner;
  }
  u32[blockWord(layout, first) + MSG_LAST] = last;
  u32[JOURNAL_FREE_BLOCK] = u32[blockWord(layout, last) + MORE_NEXT]!;
  u32[JOURNAL_FREE_BLOCKS] = u32[JOURNAL_FREE_BLOCKS]! - count;
  return first;
}

/** Takes them; where a chain ends, MORE_NEXT is to become 0. */
export function takePlanned({ u32 }: Arena): void {
  u32[HEAD_FREE_BLOCK] = u32[JOURNAL_FREE_BLOCK]!;
  u32[HEAD_FREE_BLOCKS] = u32[JOURNAL_FREE_BLOCKS]!;
}

/** Plans to give a chain of `count` blocks back in one step. */
export function planGiving({ u32 }: Arena, count: number): void {
  u32[JOURNAL_FREE_BLOCK] = u32[HEAD_FREE_BLOCK]!;
  u32[JOURNAL_FREE_BLOCKS] = u32[HEAD_FREE_BLOCKS]! + count;
}

/** Gives it back. Its first block must have STAMP 0 already. */
export function givePlanned({ u32, layout }: Arena, first: number, last: number): void {
  u32[blockWord(layout, last) + MORE_NEXT] = u32[JOURNAL_FREE_BLOCK]!;
  u32[HEAD_FREE_BLOCK] = first;
  u32[HEAD_FREE_BLOCKS] = u32[JOURNAL_FREE_BLOCKS]!;
}

/**
 * Writes pieces of bytes one behind the other into a chain. One is enough for a process: the lock admits one
 * writer.
 */
export class ChainWriter {
  #block = 0;
  #at = 0;
  #end = 0;

  /** Begins behind `headWords` words of the chain's first block. */
  begin(layout: Layout, block: number, headWords: number): void {
    // Behind the end of a broken chain nothing is a number any more.
    if (!(block <= layout.blocks)) throw new DamageError("a chain of free blocks is broken");
    this.#block = block;
    this.#at = (blockWord(layout, block) + headWords) * 4;
    this.#end = (blockWord(layout, block) + layout.blockWords) * 4;
  }

  /** `length` bytes of these from `start` on. */
  write(arena: Arena, bytes: Uint8Array, start = 0, length = bytes.length): void {
    const end = start + length;
    let from = start;
    for (;;) {
      const room = this.#end - this.#at;
      const piece = Math.min(room, end - from);
      copyBytes(bytes, from, arena.u8, this.#at, piece);
      this.#at += piece;
      from += piece;
      if (from === end) return;
      this.begin(arena.layout, arena.u32[blockWord(arena.layout, this.#block) + MORE_NEXT]!, MORE_WORDS);
    }
  }
}

/**
 * Copies `length` bytes of a chain to the start of `into`, without the lock: the chain may be freed and
 * overwritten while we read. Then the copy is garbage and false may be the answer, but it never leaves the
 * file; the caller validates.
 */
export function readChain(
  arena: Arena,
  block: number,
  headWords: number,
  length: number,
  into: Uint8Array,
): boolean {
  const { u8, u32, layout } = arena;
  if (block === 0 || block > layout.blocks) return false;
  let at = (blockWord(layout, block) + headWords) * 4;
  let room = layout.blockSize - headWords * 4;
  let done = 0;
  for (;;) {
    const piece = Math.min(room, length - done);
    copyBytes(u8, at, into, done, piece);
    done += piece;
    if (done === length) return true;
    block = u32[blockWord(layout, block) + MORE_NEXT]!;
    if (block === 0 || block > layout.blocks) return false;
    at = (blockWord(layout, block) + MORE_WORDS) * 4;
    room = layout.moreRoomBytes;
  }
}

function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length <= LOOP_BYTES) {
    for (let at = 0; at < length; at++) to[toAt + at] = from[fromAt + at]!;
    return;
  }
  // Without a view of the range, which costs twice what the copy does, and is garbage. Where `to` has ended,
  // it copies nothing and does not say so: whoever calls knows his blocks to be there.
  Buffer.prototype.copy.call(from, to, toAt, fromAt, fromAt + length);
}
