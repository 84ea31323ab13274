/**
 * The second half of putting something in: from filled blocks to a stamped message, and from a stamped
 * message to a published one. Shared by publish (the normal way), redo (which carries out what a death cut
 * off) and recover (which finishes a publish by what it finds). Under the lock.
 *
 * Messages go in by the run: as many as follow each other in one channel, up to MOST_IN_RUN, in one change.
 * What a change costs (the journal, the lists' ends, the limit) is then paid once; each is published for
 * itself, in order, so that readers see what they would of one after the other:
 *
 *   blocks taken → all STAMPs → age list, counts → first published → … → last published → oldest ones dropped
 *
 * The ring head says how far a run had come when its process died.
 */
import { FLAG_PRESENCE } from "../../message.ts";
import { carryOutMove, planRetiring } from "../channel/channel-life.ts";
import {
  ADD_MESSAGE,
  arm,
  DELETE_CHANNEL,
  disarm,
  JOURNAL_BLOCK,
  JOURNAL_KEY,
  JOURNAL_OUSTED,
  JOURNAL_OUSTED_COUNT,
  JOURNAL_RUN,
} from "../lock/journal.ts";
import { type Arena, blockWord, channelWord, growWide, setWide, wide, writeFence } from "../memory/arena.ts";
import { takePlanned } from "../memory/blocks.ts";
import { CH_LAST_ID, CH_LAST_TAG, CH_LAST_TIME } from "../memory/layout-channel.ts";
import { HEAD_DELETED, HEAD_DELETIONS, HEAD_RING_HEAD } from "../memory/layout-header.ts";
import {
  MORE_NEXT,
  MSG_AGE_NEWER,
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_FLAGS,
  MSG_ID,
  MSG_INCARNATION,
  MSG_LAST,
  MSG_NEXT,
  MSG_SERIAL,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
  SKIP_NEAR,
} from "../memory/layout-message.ts";
import { rememberKey } from "./keys.ts";
import { linkByAge, linkInChannel, planLinking, planLinkingBehind, settleCounts } from "./linking.ts";
import { checkWith } from "./message-words.ts";
import { nextSerial, publishEntry, stampOf } from "./ring.ts";
import { carryOutOusting } from "./trim.ts";

/** One of them at most has an id that searches skip from; the others wait some 10 µs meanwhile. */
export const MOST_IN_RUN = SKIP_NEAR;

/**
 * Plans to show a message whose event id, data, times and flags are written: what else stands in the header,
 * and where it will hang. It is in blocks that are chosen and still free, or, after a rebuild, in its own.
 */
export function planMessage(arena: Arena, block: number, index: number, incarnation: number): void {
  const { u32 } = arena;
  u32[JOURNAL_BLOCK] = block;
  u32[JOURNAL_RUN] = 1;
  u32[JOURNAL_KEY] = 0;
  u32[JOURNAL_OUSTED] = 0;
  u32[JOURNAL_OUSTED_COUNT] = 0;
  completeHeader(arena, block, index, incarnation, nextSerial(arena));
  planLinking(arena, block);
}

/** Plans to show another behind `before`, the last of the run so far: of its channel, and stored as it is. */
export function planFurther(arena: Arena, before: number, block: number): void {
  const { u32, layout } = arena;
  const run = u32[JOURNAL_RUN]!;
  const at = blockWord(layout, before);
  const { [at + MSG_CHANNEL]: index, [at + MSG_INCARNATION]: incarnation } = u32;
  completeHeader(arena, block, index!, incarnation!, nextSerial(arena) + run);
  u32[JOURNAL_RUN] = run + 1;
  planLinkingBehind(arena, before, block);
}

function completeHeader(arena: Arena, block: number, index: number, incarnation: number, serial: number) {
  const { u32, i32, layout } = arena;
  const at = blockWord(layout, block);
  u32[at + MSG_CHANNEL] = index;
  u32[at + MSG_INCARNATION] = incarnation;
  setWide(u32, at + MSG_SERIAL, serial);
  // Of the header as it is once the block is taken: the chain ends behind it.
  u32[at + MSG_CHECK] = checkWith(arena, at, u32[at + MSG_LAST] === block ? 0 : i32[at + MSG_NEXT]!);
}

/** A message that is in no chain of anybody becomes one that all have seen. */
export function addMessage(arena: Arena, block: number, index: number, incarnation: number): void {
  planMessage(arena, block, index, incarnation);
  addPlanned(arena);
}

/** The same for the run that is planned. */
export function addPlanned(arena: Arena): void {
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

/** Also of a run of which some are published: those are left as they are. */
export function carryOutAdding(arena: Arena): void {
  const { u32, layout } = arena;
  let block = u32[JOURNAL_BLOCK]!;
  const published = (u32[HEAD_RING_HEAD]! - u32[blockWord(layout, block) + MSG_SERIAL]!) >>> 0;
  if (published === 0) stampRun(arena);
  for (let nth = 0; nth < u32[JOURNAL_RUN]!; nth++) {
    if (nth >= published) publishMessage(arena, block);
    block = u32[blockWord(layout, block) + MSG_AGE_NEWER]!;
  }
  if (u32[JOURNAL_OUSTED] !== 0) carryOutOusting(arena);
}

export function carryOutDeletion(arena: Arena): void {
  const { u32 } = arena;
  takePlanned(arena);
  stamp(arena, u32[JOURNAL_BLOCK]!, true);
  arena.fault?.("delete-stamped");
  carryOutMove(arena);
  publishDeletion(arena);
}

/** All messages of a run begin to exist, and stand in the list by age. */
function stampRun(arena: Arena): void {
  const { u32, layout } = arena;
  const first = u32[JOURNAL_BLOCK]!;
  takePlanned(arena);
  let block = first;
  for (let left = u32[JOURNAL_RUN]!; ; left--) {
    stamp(arena, block, left === 1);
    if (left === 1) break;
    block = u32[blockWord(layout, block) + MSG_AGE_NEWER]!;
  }
  // Behind the stamp, or the key might say of a message that it was taken, and there is none; before the
  // head, which says that all is done.
  rememberKey(arena);
  hangIn(arena, first, block);
}

/** Takes the last of the blocks off the free list: from the last line on the message exists. */
function stamp({ u32, layout, fault }: Arena, block: number, isLast: boolean): void {
  const at = blockWord(layout, block);
  const { [at + MSG_SERIAL]: serial } = u32;
  u32[blockWord(layout, u32[at + MSG_LAST]!) + MORE_NEXT] = 0;
  fault?.("append-taken");
  // Pairs with the first look of readMessage: who sees the stamp sees header and bytes. Those were written
  // before the atomic store that armed the journal; what leads to the messages, behind the one here.
  if (isLast) Atomics.store(u32, at + MSG_STAMP, stampOf(serial!));
  else u32[at + MSG_STAMP] = stampOf(serial!);
}

/** Stamped messages, from the first to the last of a run, stand in the list by age and in the counts. */
export function hangIn(arena: Arena, first: number, last: number): void {
  const { u32, layout } = arena;
  writeFence();
  linkByAge(arena, first, last);
  settleCounts(arena, channelWord(layout, u32[blockWord(layout, first) + MSG_CHANNEL]!));
}

/** Hangs a stamped message in its channel and shows it to all. */
export function publishMessage(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const index = u32[at + MSG_CHANNEL]!;
  const record = channelWord(layout, index);
  arena.fault?.("append-stamped");
  linkInChannel(arena, block);
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
