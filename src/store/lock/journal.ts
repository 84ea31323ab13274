/**
 * What the owner of the lock is about to change, so that its death in the middle costs no more than the
 * change itself.
 *
 * Every change of lists has three steps. It is *planned*: bytes are written where nobody looks (free blocks,
 * a free record), and the words here say how the lists shall be afterwards. It is *armed*, by one atomic
 * store of JOURNAL_KIND. It is *carried out*, and disarmed.
 *
 *   killed before arming    nothing has happened
 *   killed afterwards       whoever repairs carries it out once more (redo.ts)
 *
 * Carrying out reads nothing but these words and what the plan wrote, and stores values, never differences:
 * so it may be done twice, and a death finds no order of its stores that matters. That is why counts stand
 * here as they shall be, and why there is no undo. Rejected: a log of old words, written before each store.
 * It needs no thought, costs an append thirty words instead of six, and taking a message back that a reader
 * has seen would break the promise that nothing is lost.
 *
 * Pairing: the store in arm() is behind all of the plan and before all of the change, that in disarm() behind
 * all of the change and before the next plan; the engine moves nothing across either, and a process that dies
 * takes none of its stores back.
 */
import type { Arena } from "../memory/arena.ts";
import { HEAD_JOURNAL } from "../memory/layout-header.ts";

export const JOURNAL_KIND = HEAD_JOURNAL;

export const NOTHING = 0;
/** A run: messages that follow each other in one channel, and its oldest ones, which make room for them. */
export const ADD_MESSAGE = 1;
export const DROP_MESSAGE = 2;
export const DEMOTE_MESSAGE = 3;
/** A deletion is put in, and the channel it is about retires. */
export const DELETE_CHANNEL = 4;
export const OPEN_CHANNEL = 5;
/** From one list of channels to another. */
export const MOVE_CHANNEL = 6;
export const FREE_CHANNEL = 7;
/** Every list is made anew (recover.ts): a death in there is mended by nothing less. */
export const REBUILD = 0xffff;

/** First block of the message at hand; of a run, that of its first. */
export const JOURNAL_BLOCK = HEAD_JOURNAL + 1;
/**
 * HEAD_FREE_BLOCK and HEAD_FREE_BLOCKS; where blocks are given back, the first is what they are hung in
 * before.
 */
export const JOURNAL_FREE_BLOCK = HEAD_JOURNAL + 2;
export const JOURNAL_FREE_BLOCKS = HEAD_JOURNAL + 3;
/**
 * CH_STORED_COUNT and CH_STORED_BLOCKS of the message's channel, and AGE_COUNT of the list that it is in, or
 * enters.
 */
export const JOURNAL_STORED_COUNT = HEAD_JOURNAL + 4;
export const JOURNAL_STORED_BLOCKS = HEAD_JOURNAL + 5;
export const JOURNAL_AGE_COUNT = HEAD_JOURNAL + 6;
/**
 * A demotion: the neighbours that the message leaves, whom it is put behind, AGE_COUNT there, MSG_EXPIRES.
 */
export const JOURNAL_AGE_OLDER = HEAD_JOURNAL + 7;
export const JOURNAL_AGE_NEWER = HEAD_JOURNAL + 8;
export const JOURNAL_TRANSIENT_NEWEST = HEAD_JOURNAL + 9;
export const JOURNAL_TRANSIENT_COUNT = HEAD_JOURNAL + 10;
export const JOURNAL_EXPIRES = HEAD_JOURNAL + 11;
/** An addition: the place of the key that it came with, in keys.ts, + 1; 0: with none. */
export const JOURNAL_KEY = HEAD_JOURNAL + 12;
/** How many messages a run has; each leads to the next by MSG_AGE_NEWER. */
export const JOURNAL_RUN = HEAD_JOURNAL + 13;
/** The channel's oldest stored messages that go with it: the first, and how many; by MSG_NEWER. */
export const JOURNAL_OUSTED = HEAD_JOURNAL + 14;
export const JOURNAL_OUSTED_COUNT = HEAD_JOURNAL + 15;
/** The channel at hand, what it will be, and what the header will count. */
export const JOURNAL_CHANNEL = HEAD_JOURNAL + 16;
export const JOURNAL_STATE = HEAD_JOURNAL + 17;
export const JOURNAL_INCARNATION = HEAD_JOURNAL + 18;
export const JOURNAL_RESTS_SINCE = HEAD_JOURNAL + 19;
export const JOURNAL_WILDCARDS = HEAD_JOURNAL + 20;
/** The list that it leaves (LIST_* words), its neighbours there, the count without it. */
export const JOURNAL_FROM = HEAD_JOURNAL + 21;
export const JOURNAL_FROM_COUNT = HEAD_JOURNAL + 22;
export const JOURNAL_BEFORE = HEAD_JOURNAL + 23;
export const JOURNAL_AFTER = HEAD_JOURNAL + 24;
/** The list that it is put at the end of, whom it stands behind there, the count with it. */
export const JOURNAL_TO = HEAD_JOURNAL + 25;
export const JOURNAL_TO_COUNT = HEAD_JOURNAL + 26;
export const JOURNAL_TO_LAST = HEAD_JOURNAL + 27;
/** HEAD_FREE_CHANNEL; where a record is given back, what it is hung in before. */
export const JOURNAL_FREE_CHANNEL = HEAD_JOURNAL + 28;
/** The chain of its name (0, 0: it has none), and HEAD_NAME_BLOCKS. */
export const JOURNAL_NAME_FIRST = HEAD_JOURNAL + 29;
export const JOURNAL_NAME_LAST = HEAD_JOURNAL + 30;
export const JOURNAL_NAME_BLOCKS = HEAD_JOURNAL + 31;

export function arm({ u32 }: Pick<Arena, "u32">, kind: number): void {
  Atomics.store(u32, JOURNAL_KIND, kind);
}

export function disarm({ u32 }: Arena): void {
  Atomics.store(u32, JOURNAL_KIND, NOTHING);
}
