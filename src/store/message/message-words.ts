/**
 * What the words of a message's header come to: its check word, its bytes, its blocks. Used by whoever makes,
 * hangs in or takes out messages, and by recovery.
 */
import { BEHIND_SHIFT } from "../../message.ts";
import type { Arena } from "../memory/arena.ts";
import { blocksForMessage } from "../memory/blocks.ts";
import type { Layout } from "../memory/layout.ts";
import {
  MSG_CHECK,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_FLAGS,
  MSG_NEXT,
  NO_EVENT_TEXT,
} from "../memory/layout-message.ts";

/**
 * The check word of a header: recovery trusts no message without it. Not for payload bytes: the stamp comes
 * after those.
 */
export const checkOf = (arena: Arena, at: number): number => checkWith(arena, at, arena.i32[at + MSG_NEXT]!);

/** What it will be when the block leads to `next`. */
export function checkWith({ i32 }: Arena, at: number, next: number): number {
  let check = Math.imul(0x51ce ^ next, 0x9e3779b1);
  check ^= check >>> 15;
  for (let word = MSG_NEXT + 1; word < MSG_CHECK; word++) {
    // Signed words: unsigned ones are no integers to the engine above 2^31, and the loop would never be
    // compiled well.
    check = Math.imul(check ^ i32[at + word]!, 0x9e3779b1);
    check ^= check >>> 15;
  }
  return check >>> 0;
}

/** Bytes of event id, event type, data and whom it is by together, from the header words. */
export function bytesOf(u32: Uint32Array, at: number): number {
  const lengths = u32[at + MSG_EVENT_LENGTHS]!;
  const text = textLength(lengths & 0xffff) + textLength(lengths >>> 16);
  return text + u32[at + MSG_DATA_LENGTH]! + (u32[at + MSG_FLAGS]! >>> BEHIND_SHIFT);
}

const textLength = (half: number): number => (half === NO_EVENT_TEXT ? 0 : half);

export const blocksOf = (layout: Layout, u32: Uint32Array, at: number): number =>
  blocksForMessage(layout, bytesOf(u32, at));
