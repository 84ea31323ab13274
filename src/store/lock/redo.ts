/**
 * Carrying out once more what the dead owner of the lock was at: the whole repair after a kill, in
 * microseconds whatever the store's size (journal.ts says why that is enough). Used through Arena by lock.ts,
 * for whoever takes the lock over.
 *
 * The journal is memory like all else: before anything is done by it, every word must lead to where it can
 * lead. Where it does not, or a list turns out to be broken on the way, the answer is no, and the lists are
 * made anew from the messages (recover.ts).
 */

import { carryOutFreeing, carryOutMove, carryOutOpening } from "../channel/channel-life.ts";
import { type Arena, blockWord, wide } from "../memory/arena.ts";
import { HEAD_DELETED, HEAD_LIVING, HEAD_TRASHED } from "../memory/layout-header.ts";
import {
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_LAST,
  MSG_NEWER,
  MSG_OLDER,
  MSG_SERIAL,
} from "../memory/layout-message.ts";
import { bytesOf } from "../message/message-words.ts";
import { carryOutAdding, carryOutDeletion, MOST_IN_RUN } from "../message/publication.ts";
import { nextSerial } from "../message/ring.ts";
import { carryOutDemotion, carryOutDrop } from "../message/unlinking.ts";
import { DamageError } from "../recovery/damage.ts";
import {
  ADD_MESSAGE,
  DELETE_CHANNEL,
  DEMOTE_MESSAGE,
  DROP_MESSAGE,
  disarm,
  FREE_CHANNEL,
  JOURNAL_AFTER,
  JOURNAL_AGE_COUNT,
  JOURNAL_AGE_NEWER,
  JOURNAL_AGE_OLDER,
  JOURNAL_BEFORE,
  JOURNAL_BLOCK,
  JOURNAL_CHANNEL,
  JOURNAL_FREE_BLOCK,
  JOURNAL_FREE_BLOCKS,
  JOURNAL_FREE_CHANNEL,
  JOURNAL_FROM,
  JOURNAL_FROM_COUNT,
  JOURNAL_KEY,
  JOURNAL_KIND,
  JOURNAL_NAME_BLOCKS,
  JOURNAL_NAME_FIRST,
  JOURNAL_NAME_LAST,
  JOURNAL_OUSTED,
  JOURNAL_OUSTED_COUNT,
  JOURNAL_RUN,
  JOURNAL_STORED_BLOCKS,
  JOURNAL_STORED_COUNT,
  JOURNAL_TO,
  JOURNAL_TO_COUNT,
  JOURNAL_TO_LAST,
  JOURNAL_TRANSIENT_COUNT,
  JOURNAL_TRANSIENT_NEWEST,
  JOURNAL_WILDCARDS,
  MOVE_CHANNEL,
  NOTHING,
  OPEN_CHANNEL,
} from "./journal.ts";

/**
 * Blocks, or numbers of blocks and messages: no larger than the number of blocks there are. Leftovers of
 * other changes are true, too.
 */
const BLOCK_WORDS = [
  JOURNAL_BLOCK,
  JOURNAL_FREE_BLOCK,
  JOURNAL_FREE_BLOCKS,
  JOURNAL_STORED_COUNT,
  JOURNAL_STORED_BLOCKS,
  JOURNAL_AGE_COUNT,
  JOURNAL_AGE_OLDER,
  JOURNAL_AGE_NEWER,
  JOURNAL_TRANSIENT_NEWEST,
  JOURNAL_TRANSIENT_COUNT,
  JOURNAL_NAME_FIRST,
  JOURNAL_NAME_LAST,
  JOURNAL_NAME_BLOCKS,
  JOURNAL_OUSTED,
  JOURNAL_OUSTED_COUNT,
];
/** Channels + 1, or numbers of them. */
const CHANNEL_WORDS = [
  JOURNAL_WILDCARDS,
  JOURNAL_FROM_COUNT,
  JOURNAL_BEFORE,
  JOURNAL_AFTER,
  JOURNAL_TO_COUNT,
  JOURNAL_TO_LAST,
  JOURNAL_FREE_CHANNEL,
];
/** Links in the header of the message at hand. */
const LINKS = [MSG_OLDER, MSG_NEWER, MSG_AGE_OLDER, MSG_AGE_NEWER];
const LISTS: readonly number[] = [0, HEAD_LIVING, HEAD_DELETED, HEAD_TRASHED];

/** Under the lock. False: the journal is not to be believed, and the lists are as bad as before or worse. */
export function redo(arena: Arena): boolean {
  const kind = Atomics.load(arena.u32, JOURNAL_KIND);
  if (kind === NOTHING) return true;
  try {
    if (!isCredible(arena) || !carryOut(arena, kind)) return false;
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    return false;
  }
  disarm(arena);
  return true;
}

function carryOut(arena: Arena, kind: number): boolean {
  if (kind === OPEN_CHANNEL) carryOutOpening(arena);
  else if (kind === MOVE_CHANNEL) carryOutMove(arena);
  else if (kind === FREE_CHANNEL) carryOutFreeing(arena);
  else return hasMessage(arena) && carryOutMessage(arena, kind);
  return true;
}

function carryOutMessage(arena: Arena, kind: number): boolean {
  if (kind === DROP_MESSAGE) carryOutDrop(arena);
  else if (kind === DEMOTE_MESSAGE) carryOutDemotion(arena);
  else if (kind === ADD_MESSAGE || kind === DELETE_CHANNEL) return carryOutPublish(arena, kind);
  else return false;
  return true;
}

/**
 * The ring head is the last word of a publish: when it stands behind a message, that has been published. What
 * a run ousts goes after its last.
 */
function carryOutPublish(arena: Arena, kind: number): boolean {
  const { u32, layout } = arena;
  const published = nextSerial(arena) - wide(u32, blockWord(layout, u32[JOURNAL_BLOCK]!) + MSG_SERIAL);
  if (kind === ADD_MESSAGE) {
    if (published < 0 || published > u32[JOURNAL_RUN]! || !isRun(arena) || !areOusted(arena)) return false;
    carryOutAdding(arena);
  } else if (published === 0) carryOutDeletion(arena);
  else return published === 1;
  return true;
}

/** The messages of a run: one behind the other, in one channel. */
function isRun(arena: Arena): boolean {
  const { u32, layout } = arena;
  const first = blockWord(layout, u32[JOURNAL_BLOCK]!);
  const { [first + MSG_CHANNEL]: index, [JOURNAL_RUN]: run } = u32;
  const serial = wide(u32, first + MSG_SERIAL);
  let block = u32[JOURNAL_BLOCK]!;
  for (let nth = 0; nth < run!; nth++) {
    const at = blockWord(layout, block);
    if (!isMessage(arena, block) || u32[at + MSG_CHANNEL] !== index) return false;
    if (wide(u32, at + MSG_SERIAL) !== serial + nth) return false;
    block = u32[at + MSG_AGE_NEWER]!;
  }
  return run! > 0;
}

/** Messages of that channel, whether their stamps are gone or not. */
function areOusted(arena: Arena): boolean {
  const { u32, layout } = arena;
  const { [blockWord(layout, u32[JOURNAL_BLOCK]!) + MSG_CHANNEL]: index } = u32;
  let block = u32[JOURNAL_OUSTED]!;
  for (let left = block === 0 ? 0 : u32[JOURNAL_OUSTED_COUNT]!; left > 0; left--) {
    const at = blockWord(layout, block);
    if (!isMessage(arena, block) || u32[at + MSG_CHANNEL] !== index) return false;
    // The last one's leads to the run, once that is linked.
    block = u32[at + MSG_NEWER]!;
  }
  return true;
}

function isCredible({ u32, layout }: Arena): boolean {
  return (
    BLOCK_WORDS.every((word) => u32[word]! <= layout.blocks) &&
    CHANNEL_WORDS.every((word) => u32[word]! <= layout.channels) &&
    u32[JOURNAL_CHANNEL]! < layout.channels &&
    u32[JOURNAL_KEY]! <= layout.keys &&
    u32[JOURNAL_RUN]! <= MOST_IN_RUN &&
    LISTS.includes(u32[JOURNAL_FROM]!) &&
    LISTS.includes(u32[JOURNAL_TO]!)
  );
}

const hasMessage = (arena: Arena): boolean => isMessage(arena, arena.u32[JOURNAL_BLOCK]!);

/** Whether the header of the message there is one. Its bytes were written before all this. */
function isMessage({ u32, layout }: Arena, block: number): boolean {
  const at = blockWord(layout, block);
  return (
    block !== 0 &&
    u32[at + MSG_CHANNEL]! < layout.channels &&
    u32[at + MSG_LAST]! > 0 &&
    u32[at + MSG_LAST]! <= layout.blocks &&
    bytesOf(u32, at) <= layout.maxMessageBytes &&
    LINKS.every((link) => u32[at + link]! <= layout.blocks)
  );
}
