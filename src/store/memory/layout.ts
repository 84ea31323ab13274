/**
 * The store file: what lies where, in 32-bit words. Every file in store/ reads its word indices from here,
 * nobody else needs them. A layout of fixed-size parts was chosen over any allocator or serialised form
 * because every process maps the file and must find each part by arithmetic alone, also after a crash.
 *
 *   byte 0                                                                                                 size
 *   +-------------+---------------+-----------+-----------------+--------------------+--------+------------+
 *   | header page | worker slots  | dispatch  | hash table      | channel records    | keys   | blocks     |
 *   | 4 KiB       | pid, cursor,  | ring      | channel index+1 | fixed part + one   | seen   | 0 unused,  |
 *   |             | counters      | 4 words a | 0 = empty       | subscriber count   | (keys  | 1 … n      |
 *   |             |               | publish   |                 | a worker slot      | .ts)   |            |
 *   +-------------+---------------+-----------+-----------------+--------------------+--------+------------+
 *
 * A message is a chain of blocks. Its header (MSG_*) fills the start of the first; the bytes are one stream
 * `event id | event type | data` that begins behind the header and runs on behind the three words of each
 * further block:
 *
 *   first block                          further blocks
 *   +--------+------+-------+---------+  +---+------+-------+---------------+
 *   | STAMP  | NEXT | …     | bytes … |  | 0 | NEXT | OWNER | … bytes       |
 *   +--------+------+-------+---------+  +---+------+-------+---------------+
 *
 * Word 0 of a block is non-zero only in the first block of a complete message, so recovery can find messages
 * by looking at word 0 of every block and at nothing else. Channel names are chains of "further" blocks.
 *
 * Who may write what: everything is written under the lock, except a slot's own words (its worker) and
 * HEAD_SWEEP_SECOND (CAS), and the HEAD_IDLE_* hints. HEAD_REVOKED* pair as revocations.ts says. Pairing of
 * the lock-free accesses (writer → reader):
 *   HEAD_JOURNAL    stored when a change is planned, zeroed when it is done → redo(), after the death of who was at it (journal.ts)
 *   MSG_STAMP       stored last when a message is complete, zeroed first when it is freed → read(), before and after copying
 *   CH_INCARNATION  odd while the channel lives; changed first on removal → isLive(), find(), before and after comparing
 *   CH_VERSION      odd while a message is being unlinked → Reader, before and after it met a hole or the end
 *   MSG_NEWER       stored when the next message is complete → Reader, which looks at its own place's stamp afterwards
 *   HEAD_HASH_VERSION odd while table entries move → find(), before and after a miss
 *   counters of two words (HEAD_RING_HEAD, CREATED, DELETIONS, EVICTED, CH_LAST_ID)  high word marked, low word, high word → wideShared()
 *   HEAD_RING_HEAD  stored last in a publish → head(), and entry() after copying a ring entry
 *   SLOT_OWED       stored by the worker before it looks at a channel's last id → trimChannel(), after a publish moved it
 *   SLOT_AWAKE      stored 0 by the sleeper before it looks at the head again → ringOthers(), after the head was stored
 */
import { CLUSTER_PAGE_BYTES, CX_WORDS } from "./layout-cluster.ts";
import { WEBHOOKS_PAGE_BYTES } from "./layout-webhooks.ts";

export const LAYOUT_VERSION = 5;
/** "SLUI" "CE\r\n" as little-endian words; the line end catches files mangled by text-mode copies. */
export const MAGIC_A = 0x49554c53;
export const MAGIC_B = 0x0a0d4543;

export const HEADER_BYTES = 4096;
/** Closed in order: a number that no flipped bit makes of 0, nor 0 of it. */
export const CLOSED = 0x444f4e45;
/** "Never" for times in seconds kept in one word. */
export const NEVER_SEC = 0xffffffff;

// Header page. The groups start on their own cache line: lock, ring head and hash version are polled by other
// processes.
export const HEAD_MAGIC_A = 0;
export const HEAD_MAGIC_B = 1;
export const HEAD_LAYOUT_VERSION = 2;
export const HEAD_SIZE = 3; // two words
export const HEAD_BLOCK_SIZE = 5;
export const HEAD_CHANNELS = 6;
export const HEAD_RING_SIZE = 7;
export const HEAD_SLOTS = 8;
export const HEAD_HASH_SEED = 9;
/** CLOSED, or 0 while main has the file; anything else is damage. */
export const HEAD_CLEAN = 10;
export const HEAD_EPOCH = 11; // two words
export const HEAD_STARTED_SEC = 13;
export const HEAD_MAIN_PID = 14;
export const HEAD_MAIN_BIRTH = 15;
export const HEAD_LOCK = 16;
/**
 * How often the lock was taken, and signs of life in long work under it: who watches the owner looks for
 * either to change.
 */
export const HEAD_LOCK_TENURE = 17;
export const HEAD_LOCK_BEAT = 18;
/** Next serial to be written, two words; the low one alone is what the ring goes by. */
export const HEAD_RING_HEAD = 32;
export const HEAD_HASH_VERSION = 48;
export const HEAD_FREE_BLOCK = 64;
export const HEAD_FREE_BLOCKS = 65;
export const HEAD_NAME_BLOCKS = 66;
export const HEAD_CLOCK_SEC = 67;
export const HEAD_CLOCK_TAG = 68;
export const HEAD_CREATED = 70; // two words: number of channels ever created
export const HEAD_DELETIONS = 72; // two words: ring entries that are deletions, not messages
export const HEAD_EVICTED = 74; // two words
export const HEAD_SWEEP_SECOND = 76;
export const HEAD_SWEEP_CHANNEL = 77;
export const HEAD_FREE_CHANNEL = 78;
/** Age lists (AGE_* words each): every stored message, every unstored one, oldest first. */
export const HEAD_STORED = 80;
export const HEAD_TRANSIENT = 84;
/** Channel lists (LIST_* words each): living in creation order, in delete, in trash. */
export const HEAD_LIVING = 88;
export const HEAD_DELETED = 92;
export const HEAD_TRASHED = 96;
/** How many of the living channels are wildcard channels. */
export const HEAD_WILDCARDS = 100;
/** The events channel: its index + 1, 0 = off. Written by main alone, before workers attach. */
export const HEAD_EVENTS_CHANNEL = 101;
/**
 * Events published = EVENTS_BEFORE (on earlier events channels) + last id of the one in use - EVENTS_FROM.
 * Two words each.
 */
export const HEAD_EVENTS_BEFORE = 102;
export const HEAD_EVENTS_FROM = 104;
/** Workers that died and were replaced since main opened the file. Written by main alone. */
export const HEAD_REPLACED = 106;
/** Messages of internal channels by age (AGE_* words). */
export const HEAD_INTERNAL = 108;
/** The internal channels: index + 1 each, 0 = it was not asked for yet. */
export const HEAD_INTERNAL_CHANNELS = 112;
export const INTERNAL_PLACES = 4;
/** Messages ever published to internal channels that a rebuild had to give up; two words. */
export const HEAD_INTERNAL_BEFORE = 116;
/** Ring entries that are presence events, not messages. Two words. */
export const HEAD_PRESENCE_EVENTS = 120;
/**
 * Where the search for a channel to give up goes on, in which second it was last in vain, and how far
 * (idle-channels.ts). No lock.
 */
export const HEAD_IDLE_CHANNEL = 192;
export const HEAD_IDLE_SECOND = 193;
export const HEAD_IDLE_LOOKS = 194;
/** Channels that had to make room for others, and channels that found none. Two words each. */
export const HEAD_RECLAIMED = 196;
export const HEAD_ROOMLESS = 198;
/**
 * Entries of the table of idempotency keys, and how many were given up for others before their time (two
 * words).
 */
export const HEAD_KEYS = 180;
export const HEAD_KEYS_GIVEN_UP = 182;
/** Messages dropped in the last seconds: TRASH_BUCKETS pairs of (second, count). */
export const HEAD_TRASH = 128;
export const TRASH_BUCKETS = 16;
/** Where and when the file was last in service (life.ts): a mark of the boot, and the inode (two words). */
export const HEAD_BOOT = 160;
export const HEAD_INODE = 161; // two words
/** 1: the file is on a disk, and messages carry a check of their bytes (MSG_DATA_CHECK). */
export const HEAD_ON_DISK = 163;
/** Of the whole file, written when it is closed in order (checksum.ts). Two words. */
export const HEAD_CHECKSUM = 164;
/** Of the words that say what kind of file this is, HEAD_MAGIC_A to HEAD_HASH_SEED. */
export const HEAD_SHAPE_CHECK = 166;
/** How often lists had to be made anew because a link led where none can lead (damage.ts). */
export const HEAD_MENDED = 168; // two words
/** What the owner of the lock is changing (journal.ts): 32 words. */
export const HEAD_JOURNAL = 208;
/** What was taken back (revocations.ts): the rest of the page. */
export const HEAD_REVOKED_VERSION = 255;
export const HEAD_REVOKED = 256;
export const REVOKED_WORDS = 4;
export const REVOKED_ENTRIES = 192;

export const AGE_OLDEST = 0;
export const AGE_NEWEST = 1;
export const AGE_COUNT = 2;
/**
 * Until this second a message may expire before one that stands in front of it (the ttl was lowered, the
 * clock set back).
 */
export const AGE_UNSORTED_UNTIL = 3;

export const LIST_FIRST = 0; // channel index + 1, 0 = none
export const LIST_LAST = 1;
export const LIST_COUNT = 2;

// Worker slot. Counters are doubles: aligned 8-byte stores are not torn, and one process writes them.
export const SLOT_PID = 0;
export const SLOT_STARTED_SEC = 1;
export const SLOT_CURSOR = 2;
export const SLOT_AWAKE = 3;
/** What the worker's subscribers are owed: OWED_* in slots.ts. */
export const SLOT_OWED = 4;
export const SLOT_COUNTERS = 16;
export const SLOT_COUNTER_LIMIT = 56;
export const SLOT_WORDS = SLOT_COUNTERS + 2 * SLOT_COUNTER_LIMIT;

// Dispatch ring entry.
export const RING_SERIAL = 0;
export const RING_CHANNEL = 1;
export const RING_BLOCK = 2;
export const RING_INCARNATION = 3;
export const RING_WORDS = 4;

// Channel record.
export const CH_STATE = 0;
/** Odd: alive. Grows by one on creation and on removal. */
export const CH_INCARNATION = 1;
export const CH_VERSION = 2;
export const CH_BASE = 3; // two words
export const CH_LAST_ID = 5; // two words
export const CH_OLDEST = 7;
export const CH_NEWEST = 8;
export const CH_OLDEST_STORED = 9;
export const CH_STORED_COUNT = 10;
export const CH_LAST_TIME = 11;
export const CH_LAST_TAG = 12;
export const CH_ACTIVE_UNTIL = 13;
export const CH_NAME_LENGTH = 14;
export const CH_NAME_HASH = 15;
export const CH_NAME_BLOCK = 16;
export const CH_BEFORE = 17; // channel index + 1
export const CH_AFTER = 18;
/**
 * When the channel was made, or asked for while records were scarce; when it was deleted; when it went to
 * trash.
 */
export const CH_RESTS_SINCE = 19;
export const CH_CREATED = 20; // two words
/** CLASS_*, as it was when the channel was made: the prefix may be another by now. */
export const CH_CLASS = 22;
/**
 * Blocks of the newest messages whose id is a multiple of SKIP_NEAR and of SKIP_FAR: what the next such
 * message skips back to.
 */
export const CH_SKIP_NEAR = 23;
export const CH_SKIP_FAR = 24;
/**
 * Time and tag of the newest message that was stored and is no longer: a position before it has lost
 * something.
 */
export const CH_GONE_TIME = 25;
export const CH_GONE_TAG = 26;
/** Id of the newest message that came to be stored; two words. */
export const CH_NEWEST_STORED = 27;
/** Blocks of the stored messages: what max_bytes_stored_per_channel is held to. */
export const CH_STORED_BLOCKS = 29;
/** Whether webhooks were told that somebody is there (webhook-log.ts). */
export const CH_ATTENDED = 30;
export const CH_SUBSCRIBERS = 31; // one word a slot

export const CLASS_NORMAL = 0;
export const CLASS_WILDCARD = 1;
export const CLASS_INTERNAL = 2;

export const STATE_FREE = 0;
export const STATE_LIVE = 1;
export const STATE_DELETED = 2;
export const STATE_TRASHED = 3;

// Message header. MSG_CHECK covers the words MSG_NEXT to MSG_SERIAL + 1. Of those only expiry and flags ever
// change, once, when a stored message is demoted (messages.ts).
export const MSG_STAMP = 0;
export const MSG_NEXT = 1;
export const MSG_LAST = 2;
export const MSG_CHANNEL = 3;
export const MSG_INCARNATION = 4;
export const MSG_ID = 5; // two words
export const MSG_TIME = 7;
export const MSG_TAG = 8;
export const MSG_EXPIRES = 9;
export const MSG_DATA_LENGTH = 10;
/** Event id length in the low half, event type length in the high half; NO_EVENT_TEXT = absent. */
export const MSG_EVENT_LENGTHS = 11;
export const MSG_FLAGS = 12;
export const MSG_SERIAL = 13; // two words
export const MSG_CHECK = 15;
export const MSG_OLDER = 16;
export const MSG_NEWER = 17;
export const MSG_AGE_OLDER = 18;
export const MSG_AGE_NEWER = 19;
/** Of event id, event type and data, not 0; 0 = nobody took it, because the file is in memory. */
export const MSG_DATA_CHECK = 20;
/**
 * The block that had the message SKIP_FAR ids before, where the id is a multiple of that, or SKIP_NEAR,
 * likewise; else 0. Never followed without a look at the id that stands there (seek.ts): the message may be
 * gone, and its block another's.
 */
export const MSG_SKIP = 21;
export const MSG_WORDS = 22;
export const SKIP_NEAR = 64;
export const SKIP_FAR = 4096;
export const NO_EVENT_TEXT = 0xffff;

// Further block of a message, or block of a name.
export const MORE_NEXT = MSG_NEXT;
export const MORE_OWNER = 2;
export const MORE_WORDS = 3;

// Entry of the table of idempotency keys (keys.ts). KEY_CHECK covers the words before it; 0 = there is none.
export const KEY_DIGEST = 0; // four words
export const KEY_BODY = 4; // two words
export const KEY_POSITION = 6; // two words
export const KEY_SECOND = 8;
export const KEY_CHECK = 9;
export const KEY_WORDS = 10;

/** Where the parts of one store file begin. Word offsets unless the name says bytes. */
export interface Layout {
  readonly size: number;
  readonly blockSize: number;
  readonly channels: number;
  readonly ringSize: number;
  readonly workerSlots: number;
  /** The page of layout-webhooks.ts. */
  readonly webhooksWord: number;
  readonly slotsWord: number;
  readonly ringWord: number;
  readonly hashWord: number;
  readonly hashSize: number;
  readonly channelsWord: number;
  readonly channelWords: number;
  /** Of a record: where the words of layout-cluster.ts begin; 0 = the store is no clustered node's. */
  readonly clusterWord: number;
  readonly keysWord: number;
  readonly keys: number;
  readonly blocksWord: number;
  readonly blockWords: number;
  /** Blocks 1 … blocks are usable; block 0 stands for "none". */
  readonly blocks: number;
  readonly firstRoomBytes: number;
  readonly moreRoomBytes: number;
  readonly maxMessageBytes: number;
  /**
   * What names may take, so that whoever makes channels cannot push everybody's messages out: a quarter, or
   * one block a channel.
   */
  readonly mostNameBlocks: number;
}

export interface LayoutShape {
  readonly size: number;
  readonly blockSize: number;
  /** Channel records; 0 = one for each 2 KiB of the size. */
  readonly channels: number;
  readonly ringSize: number;
  readonly workerSlots: number;
  /** A node of a cluster (layout-cluster.ts). */
  readonly clustered?: boolean;
  /** Idempotency keys that are remembered; absent: none. */
  readonly keys?: number;
}

const MIN_BLOCKS = 16;
/** The largest array the engine maps. */
const MAX_SIZE = 4 * 1024 ** 3;
const BYTES_PER_AUTO_CHANNEL = 2048;

/**
 * Computes a layout. Throws RangeError with the field at fault when the shape cannot hold a working store.
 */
export function layoutOf(shape: LayoutShape): Layout {
  const { size, blockSize, workerSlots } = shape;
  requireShape(Number.isInteger(size) && size <= MAX_SIZE, `store size ${size} is above 4 GiB`);
  requireShape(
    blockSize >= 128 && blockSize <= 65536 && blockSize % 64 === 0,
    `store block size ${blockSize} is not a multiple of 64 between 128 and 65536`,
  );
  requireShape(workerSlots >= 1 && workerSlots <= 1024, `store worker slots ${workerSlots} not in 1 … 1024`);
  const channels = shape.channels || Math.max(64, Math.floor(size / BYTES_PER_AUTO_CHANNEL));
  const ringSize = powerOfTwoFrom(Math.max(2, shape.ringSize));
  const hashSize = powerOfTwoFrom(channels * 2);
  const clusterBytes = shape.clustered === true ? CLUSTER_PAGE_BYTES : 0;
  const webhooksWord = (HEADER_BYTES + clusterBytes) / 4;
  const slotsWord = webhooksWord + WEBHOOKS_PAGE_BYTES / 4;
  const ringWord = slotsWord + workerSlots * SLOT_WORDS;
  const hashWord = ringWord + ringSize * RING_WORDS;
  const channelsWord = hashWord + hashSize;
  const clusterWord = shape.clustered === true ? CH_SUBSCRIBERS + workerSlots : 0;
  const channelWords = CH_SUBSCRIBERS + workerSlots + (clusterWord === 0 ? 0 : CX_WORDS);
  const { keys = 0 } = shape;
  const keysWord = channelsWord + channels * channelWords;
  const blocksWord = Math.ceil((keysWord + keys * KEY_WORDS) / 16) * 16;
  const blocks = Math.floor((size - blocksWord * 4) / blockSize) - 1;
  requireShape(
    blocks >= MIN_BLOCKS,
    `store size ${size} leaves no room for messages beside ${channels} channels`,
  );
  const firstRoomBytes = blockSize - MSG_WORDS * 4;
  const moreRoomBytes = blockSize - MORE_WORDS * 4;
  return {
    size,
    blockSize,
    channels,
    ringSize,
    workerSlots,
    webhooksWord,
    slotsWord,
    ringWord,
    hashWord,
    hashSize,
    channelsWord,
    channelWords,
    clusterWord,
    keysWord,
    keys,
    blocksWord,
    blockWords: blockSize / 4,
    blocks,
    firstRoomBytes,
    moreRoomBytes,
    maxMessageBytes: firstRoomBytes + (blocks - 1) * moreRoomBytes,
    mostNameBlocks: Math.min(blocks, Math.max(channels, Math.floor(blocks / 4))),
  };
}

function requireShape(ok: boolean, sentence: string): void {
  if (!ok) throw new RangeError(sentence);
}

function powerOfTwoFrom(least: number): number {
  let power = 1;
  while (power < least) power *= 2;
  return power;
}
