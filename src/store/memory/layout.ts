/**
 * The store file: what lies where, in 32-bit words. Every file in store/ reads its word indices from here and
 * from layout-header.ts, layout-channel.ts and layout-message.ts; nobody else needs them. A layout of
 * fixed-size parts was chosen over any allocator or serialised form because every process maps the file and
 * must find each part by arithmetic alone, also after a crash.
 *
 *   byte 0                                                                                         size
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
 *   HEAD_JOURNAL    stored when a change is planned, zeroed when it is done → redo(), after the death of who
 *                   was at it (journal.ts)
 *   MSG_STAMP       stored last when a message is complete, zeroed first when it is freed → read(), before
 *                   and after copying
 *   CH_INCARNATION  odd while the channel lives; changed first on removal → isLive(), find(), before and
 *                   after comparing
 *   CH_VERSION      odd while a message is being unlinked → Reader, before and after it met a hole or the end
 *   MSG_NEWER       stored when the next message is complete → Reader, which looks at its own place's stamp
 *                   afterwards
 *   HEAD_HASH_VERSION odd while table entries move → find(), before and after a miss
 *   counters of two words (HEAD_RING_HEAD, CREATED, DELETIONS, EVICTED, CH_LAST_ID)
 *                   high word marked, low word, high word → wideShared()
 *   HEAD_RING_HEAD  stored last in a publish → head(), and entry() after copying a ring entry
 *   SLOT_OWED       stored by the worker before it looks at a channel's last id → planOusting(), for what is
 *                   not above that, and trimChannel(), after a publish moved it
 *   SLOT_AWAKE      stored 0 by the sleeper before it looks at the head again → ringOthers(), after the head
 *                   was stored
 */
import { CH_SUBSCRIBERS } from "./layout-channel.ts";
import { CLUSTER_PAGE_BYTES, CX_WORDS } from "./layout-cluster.ts";
import { HEADER_BYTES } from "./layout-header.ts";
import { MORE_WORDS, MSG_WORDS } from "./layout-message.ts";
import { WEBHOOKS_PAGE_BYTES } from "./layout-webhooks.ts";

export const LAYOUT_VERSION = 5;
/** "SLUI" "CE\r\n" as little-endian words; the line end catches files mangled by text-mode copies. */
export const MAGIC_A = 0x49554c53;
export const MAGIC_B = 0x0a0d4543;

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
