/**
 * The second half of putting something in: from filled blocks to a stamped message, and from a stamped
 * message to a published one. Shared by publish (the normal way), redo (which carries out what a death cut
 * off) and recover (which finishes a publish by what it finds). Under the lock.
 */
import { FLAG_PRESENCE } from "../../message.ts";
import { carryOutMove, planRetiring } from "../channel/channel-life.ts";
import { ADD_MESSAGE, arm, DELETE_CHANNEL, disarm, JOURNAL_BLOCK, JOURNAL_KEY } from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, growWide, setWide, wide } from "../memory/arena.ts";
import { takePlanned } from "../memory/blocks.ts";
import { CH_LAST_ID, CH_LAST_TAG, CH_LAST_TIME } from "../memory/layout-channel.ts";
import { HEAD_DELETED, HEAD_DELETIONS } from "../memory/layout-header.ts";
import {
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_FLAGS,
  MSG_ID,
  MSG_INCARNATION,
  MSG_LAST,
  MSG_SERIAL,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
} from "../memory/layout-message.ts";
import { rememberKey } from "./keys.ts";
import { linkByAge, linkInChannel, planLinking } from "./linking.ts";
import { checkOf } from "./message-words.ts";
import { nextSerial, publishEntry, stampOf } from "./ring.ts";

/**
 * Plans to show a message whose event id, data, times and flags are written: what else stands in the header,
 * and where it will hang. It is in blocks that are chosen and still free, or, after a rebuild, in its own.
 */
export function planMessage(arena: Arena, block: number, index: number, incarnation: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  u32[JOURNAL_BLOCK] = block;
  u32[at + MSG_CHANNEL] = index;
  u32[at + MSG_INCARNATION] = incarnation;
  setWide(u32, at + MSG_SERIAL, nextSerial(arena));
  planLinking(arena, block);
}

/**
 * A message that is in no chain of anybody becomes one that all have seen. `key`: what planKey said, 0: it
 * has none.
 */
export function addMessage(arena: Arena, block: number, index: number, incarnation: number, key = 0): void {
  planMessage(arena, block, index, incarnation);
  arena.u32[JOURNAL_KEY] = key;
  arena.fault?.("append-written");
  arm(arena, ADD_MESSAGE);
  carryOutAdding(arena);
  disarm(arena);
}

/** The same for a deletion, with which its channel retires. */
export function addDeletion(
  arena: Arena,
  block: number,
  index: number,
  incarnation: number,
  nowSec: number,
): void {
  planMessage(arena, block, index, incarnation);
  planRetiring(arena, index, HEAD_DELETED, nowSec);
  arm(arena, DELETE_CHANNEL);
  carryOutDeletion(arena);
  disarm(arena);
}

export function carryOutAdding(arena: Arena): void {
  stamp(arena);
  // Behind the stamp, or the key might say of a message that it was taken, and there is none; before the
  // head, which says that all is done.
  rememberKey(arena);
  publishMessage(arena);
}

export function carryOutDeletion(arena: Arena): void {
  stamp(arena);
  arena.fault?.("delete-stamped");
  carryOutMove(arena);
  publishDeletion(arena);
}

/** Takes the blocks and completes the header: from the last line on the message exists. */
function stamp(arena: Arena): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, u32[JOURNAL_BLOCK]!);
  takePlanned(arena, u32[at + MSG_LAST]!);
  u32[at + MSG_CHECK] = checkOf(arena, at);
  arena.fault?.("append-taken");
  // Pairs with the first look of readMessage: who sees the stamp sees header and bytes.
  Atomics.store(u32, at + MSG_STAMP, stampOf(u32[at + MSG_SERIAL]!));
}

/** Hangs a stamped message in and shows it to all. */
export function publishMessage(arena: Arena): void {
  const { u32, layout } = arena;
  const block = u32[JOURNAL_BLOCK]!;
  const at = blockWord(layout, block);
  const index = u32[at + MSG_CHANNEL]!;
  const record = channelWord(layout, index);
  arena.fault?.("append-stamped");
  linkInChannel(arena, block);
  linkByAge(arena, block);
  arena.fault?.("append-linked");
  if ((u32[at + MSG_FLAGS]! & FLAG_PRESENCE) === 0) {
    u32[record + CH_LAST_TIME] = u32[at + MSG_TIME]!;
    u32[record + CH_LAST_TAG] = u32[at + MSG_TAG]!;
  }
  growWide(arena, record + CH_LAST_ID, wide(u32, at + MSG_ID));
  arena.fault?.("append-counted");
  publishEntry(arena, wide(u32, at + MSG_SERIAL), index, block, u32[at + MSG_INCARNATION]!);
  arena.fault?.("append-published");
}

/** The same for a stamped deletion, whose channel has retired. */
export function publishDeletion(arena: Arena): void {
  const { u32, layout } = arena;
  const block = u32[JOURNAL_BLOCK]!;
  const at = blockWord(layout, block);
  arena.fault?.("delete-retired");
  linkByAge(arena, block);
  // The header carries the count, so that finishing a half-done deletion does not count it twice.
  growWide(arena, HEAD_DELETIONS, wide(u32, at + MSG_ID));
  publishEntry(arena, wide(u32, at + MSG_SERIAL), u32[at + MSG_CHANNEL]!, block, u32[at + MSG_INCARNATION]!);
}
