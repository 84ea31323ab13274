/**
 * The table of members (presence): a file of its own beside the store, mapped by every worker like the store
 * itself. Members end with their connections, so nothing in it outlives its main process; apart from the
 * messages it can be switched on or resized and costs none of them. Everything is written under the store's
 * lock (members.ts), so it has no lock of its own.
 *
 *   byte 0                                                                                             size
 *   +-------------+-------------+---------------+---------------+------------+-------------------------+
 *   | header page | readers     | wheel         | channels      | hash heads | records 1 … n           |
 *   | 4 KiB       | 1 word a    | first of those| MC_WORDS for  | first of a | MB_*, connections of    |
 *   |             | worker slot | who leave in  | each channel  | chain by   | each worker slot, name, |
 *   |             |             | a second      | of the store  | MB_LATER   | information             |
 *   +-------------+-------------+---------------+---------------+------------+-------------------------+
 *
 * A record is one member of one channel, however many connections it has on however many workers. It is in
 * three lists: the chain of its hash, the members of its channel (newest first), and, while it lingers, those
 * who leave in the same second.
 *
 * Pairing of the lock-free accesses: MB_STAMP is odd while a record is written or free, and another number
 * afterwards → readRecord(), before and after copying. MC_NUMBER is stored after its event is linked →
 * presenceNumber(): who sees a number can read its event, or it is gone.
 */
import { MSG_SKIP } from "./layout-message.ts";

/**
 * Of a presence event, in the header of its message: its number, less MH_BASE. Nothing skips from one to
 * another.
 */
export const MSG_NUMBER = MSG_SKIP;

export const MEMBERS_MAGIC = 0x424d4c53;
export const MEMBERS_VERSION = 2;

export const MH_MAGIC = 0;
export const MH_VERSION = 1;
export const MH_RECORDS = 2;
export const MH_RECORD_WORDS = 3;
export const MH_CHANNELS = 4;
export const MH_SLOTS = 5;
/** Of the names, so that nobody can choose many with one hash. */
export const MH_SEED = 6;
/** Slots of other nodes, behind those of the workers. */
export const MH_REMOTE_SLOTS = 7;
/**
 * Channel index + 1 whose lists are being changed; not 0 for whoever gets the lock: its last owner died at it
 * (mend).
 */
export const MH_CHANGING = 16;
/** First free record, and how many are in use. */
export const MH_FREE = 17;
export const MH_USED = 18;
/** The second up to which those who lingered have left. */
export const MH_SWEPT_SEC = 19;
/**
 * The queue of channels that have something to tell at the next look: first and last (index + 1), and how
 * many there are.
 */
export const MH_DUE = 20;
export const MH_DUE_LAST = 21;
export const MH_DUE_COUNT = 22;
/** Events of all channels since the file was made: what a channel's own count begins at. */
export const MH_EVENTS = 23;
/** What event numbers begin at, another for each life of the file, always larger; two words. */
export const MH_BASE = 24;
/** How often a worker was forgotten, who may have died with something that other nodes have not heard. */
export const MH_FORGOTTEN = 26;
/** 32 bytes that nobody outside knows: names of those who said none are made with them. */
export const MH_SECRET = 48;
/** The other nodes, by remote slot: MN_WORDS each (members-remote.ts). */
export const MH_NODES = 96;
/** Digest of a node's name and of its life, two words each; 0: the slot is free. */
export const MN_NAME = 0;
export const MN_LIFE = 2;
export const MN_WORDS = 4;
/** Nodes whose members are known beside our own. */
export const MOST_REMOTE = 32;
/** As doubles, in units of 8 bytes: ever since the file was made. */
export const MH_COUNTS = 32;
export const COUNT_JOINS = 0;
export const COUNT_LEAVES = 1;
export const COUNT_DEGRADED = 2;
export const COUNT_UNLISTED = 3;

export const HEADER_WORDS = 1024;
/** More seconds than anybody can linger; a power of two. */
export const WHEEL_SLOTS = 1024;
export const LONGEST_LINGER_SEC = 600;

export const MC_INCARNATION = 0;
export const MC_FIRST = 1;
/** Members, and those of them whose coming and going is told by name. */
export const MC_COUNT = 2;
export const MC_LISTED = 3;
/** Number of the newest event, without MH_BASE. */
export const MC_NUMBER = 4;
export const MC_STATE = 5;
/** Index + 1 of the next channel with something to tell; LAST_DUE ends the queue, 0: it is not in it. */
export const MC_DUE = 6;
/** In which second something was told of how many there are. */
export const MC_TOLD_SEC = 7;
/** How many events were told in which second. */
export const MC_RATE_SEC = 8;
export const MC_RATE = 9;
/** The limits of whoever joined last: members, events a second. */
export const MC_MOST_MEMBERS = 10;
export const MC_MOST_EVENTS = 11;
/** In which second somebody was not taken in because the table was full. */
export const MC_FULL_SEC = 12;
/** What MC_NUMBER began at. */
export const MC_BEGAN = 13;
export const MC_WORDS = 16;

export const LAST_DUE = 0xffffffff;

/**
 * MC_STATE: only how many there are is told, for there are too many of them, or they come and go too fast.
 */
export const STATE_DEGRADED = 1;
/** The count has changed since it was told. */
export const STATE_COUNT_DUE = 2;
/** It is to be told that the list has to be read again. */
export const STATE_RESET_DUE = 4;

/** Index + 1 of the channel; 0: the record is free. */
export const MB_CHANNEL = 0;
/** Next in the channel, or among the free. */
export const MB_NEXT = 1;
export const MB_PREVIOUS = 2;
/** Next with this hash. */
export const MB_LATER = 3;
export const MB_HASH = 4;
export const MB_STAMP = 5;
export const MB_SINCE_SEC = 6;
export const MB_CONNECTIONS = 7;
export const MB_LINGER_SEC = 8;
/** The second in which it leaves unless somebody comes back; 0: somebody is there. */
export const MB_LEAVES_SEC = 9;
export const MB_WHEEL_NEXT = 10;
export const MB_WHEEL_PREVIOUS = 11;
export const MB_NAME_LENGTH = 12;
export const MB_INFO_LENGTH = 13;
export const MB_FLAGS = 14;
/**
 * Of the channel: who is of another one than the channel's record now is in none of its lists, and leaves
 * without a word.
 */
export const MB_INCARNATION = 15;
export const MB_SLOTS = 16;

/** Nobody said who it is: the name is ours, for this connection or, of polls, this address. */
export const MEMBER_ANONYMOUS = 1;
/** Its coming and going is told by name, and it is in the list. */
export const MEMBER_LISTED = 2;

export interface MembersShape {
  readonly records: number;
  /** Room for name and information of one. */
  readonly textBytes: number;
  readonly channels: number;
  readonly workerSlots: number;
  /** 0: it is no node of a cluster. */
  readonly remoteSlots: number;
}

export interface MembersLayout {
  readonly records: number;
  readonly recordWords: number;
  readonly channels: number;
  readonly workerSlots: number;
  readonly remoteSlots: number;
  /** Both. */
  readonly slots: number;
  readonly readersWord: number;
  readonly wheelWord: number;
  readonly channelsWord: number;
  readonly hashWord: number;
  readonly hashSize: number;
  readonly recordsWord: number;
  /** Word of a record at which its texts begin. */
  readonly textWord: number;
  readonly textBytes: number;
  readonly size: number;
}

export function membersLayout(shape: MembersShape): MembersLayout {
  const { records, textBytes, channels, workerSlots, remoteSlots } = shape;
  const slots = workerSlots + remoteSlots;
  const textWord = MB_SLOTS + slots;
  const recordWords = textWord + Math.ceil(textBytes / 4);
  let hashSize = 64;
  while (hashSize < records) hashSize *= 2;
  const readersWord = HEADER_WORDS;
  const wheelWord = readersWord + workerSlots;
  const channelsWord = wheelWord + WHEEL_SLOTS;
  const hashWord = channelsWord + channels * MC_WORDS;
  // Record 0 is nobody's, so that 0 can say "none".
  const recordsWord = hashWord + hashSize;
  return {
    records,
    recordWords,
    channels,
    workerSlots,
    remoteSlots,
    slots,
    readersWord,
    wheelWord,
    channelsWord,
    hashWord,
    hashSize,
    recordsWord,
    textWord,
    textBytes: (recordWords - textWord) * 4,
    size: Math.ceil(((recordsWord + (records + 1) * recordWords) * 4) / 4096) * 4096,
  };
}
