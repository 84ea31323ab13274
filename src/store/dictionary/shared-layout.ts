/**
 * The file of a shared dictionary: what lies where, in 32-bit words. Beside the store, not in it, because it
 * has a life of its own (emptied, resized, kept or not) and because what handlers do there must never make a
 * publish wait.
 *
 *   byte 0                                                                 size
 *   +-------------+-----------------+---------------------+----------------+
 *   | header page | read marks      | hash table          | blocks         |
 *   | 4 KiB       | a byte a block  | first entry, 0 = no | 1 … n, 128 B   |
 *   +-------------+-----------------+---------------------+----------------+
 *
 * An entry is a chain of blocks: its words, then `key | value` as one stream that runs on behind the link of
 * each further block. Numbers have no bytes: they stand in the entry's words.
 *
 *   first block                                further blocks
 *   +------+----------------------+--------+   +------+------------+
 *   | LINK | NEXT, OLDER, NEWER … | 72 B … |   | LINK | … 124 B    |
 *   +------+----------------------+--------+   +------+------------+
 *
 * The lock, the boot, the inode and the count of repairs stand where layout.ts has them, so that lock.ts,
 * life.ts and flush.ts serve both. Pairing: DICT_VERSION is odd while a change is carried out
 * (shared-change.ts) → whoever reads without the lock, before and after. Read marks are hints, written by
 * anybody: one that is lost or too many makes an entry go a little early or late.
 */
import { HEADER_BYTES } from "../memory/layout-header.ts";

export const DICT_LAYOUT_VERSION = 1;
/** "SLUI" "DIC\n". */
export const DICT_MAGIC_A = 0x49554c53;
export const DICT_MAGIC_B = 0x0a434944;

/** Words 0 and 1 are the magic; up to DICT_SHAPE_CHECK they say what kind of file this is. */
export const DICT_LAYOUT = 2;
export const DICT_SIZE = 3; // two words
export const DICT_SEED = 5;
export const DICT_SHAPE_CHECK = 6;
export const DICT_VERSION = 32;
export const DICT_FREE_BLOCK = 48;
export const DICT_FREE_BLOCKS = 49;
export const DICT_OLDEST = 50;
export const DICT_NEWEST = 51;
export const DICT_ENTRIES = 52;
/**
 * Entries that had to make room for others, and entries whose time was over when they did. Two words each.
 */
export const DICT_EVICTED = 54;
export const DICT_EXPIRED = 56;
/** Pairs of (word, value): what the change at hand writes. */
export const DICT_CHANGES = 255;
export const DICT_CHANGE = 256;
export const MOST_CHANGES = 64;

export const BLOCK_WORDS = 32;
export const BLOCK_BYTES = BLOCK_WORDS * 4;
/** The next block of an entry, or the next free one. */
export const LINK = 0;
export const MORE_BYTES = BLOCK_BYTES - 4;

/** The next entry on the same place of the hash table. */
export const ENTRY_NEXT = 1;
/** Neighbours in the order in which entries go. */
export const ENTRY_OLDER = 2;
export const ENTRY_NEWER = 3;
/** Milliseconds since 1970, a double; 0: never. */
export const ENTRY_EXPIRES = 4;
export const ENTRY_NUMBER = 6; // a double
export const ENTRY_HASH = 8;
export const ENTRY_KEY_BYTES = 9;
export const ENTRY_VALUE_BYTES = 10;
export const ENTRY_KIND = 11;
export const ENTRY_LAST = 12;
export const ENTRY_BLOCKS = 13;
export const ENTRY_WORDS = 14;
export const FIRST_BYTES = BLOCK_BYTES - ENTRY_WORDS * 4;

export const NUMBER = 1;
export const TEXT = 2;
export const BYTES = 3;
export const JSON_TEXT = 4;

export const MAX_KEY_BYTES = 65_535;
/** Copied under the lock: more would let others wait. */
const MAX_VALUE_BYTES = 1024 ** 2;

export interface DictionaryLayout {
  readonly size: number;
  readonly blocks: number;
  /** Of the read marks, in bytes. */
  readonly marksByte: number;
  readonly hashWord: number;
  readonly hashMask: number;
  /** Of block 0, which there is not. */
  readonly blocksWord: number;
  /** Of key and value together. */
  readonly maxEntryBytes: number;
}

const MAX_SIZE = 4 * 1024 ** 3;
export const MIN_DICTIONARY_BYTES = 8192;

/** Throws RangeError when nothing can be kept in so little. */
export function dictionaryLayoutOf(size: number): DictionaryLayout {
  if (!Number.isInteger(size) || size < MIN_DICTIONARY_BYTES || size > MAX_SIZE)
    throw new RangeError(`a shared dictionary of ${size} bytes cannot be; 8 KiB to 4 GiB can`);
  // One place of the table for each block, a power of two at or below it: chains are one or two entries long.
  const roughly = Math.floor((size - HEADER_BYTES) / (BLOCK_BYTES + 5));
  const hashSize = 2 ** Math.floor(Math.log2(roughly));
  const hashWord = (HEADER_BYTES + Math.ceil((roughly + 1) / 4) * 4) / 4;
  const firstWord = Math.ceil((hashWord + hashSize) / BLOCK_WORDS) * BLOCK_WORDS;
  const blocks = Math.min(roughly, Math.floor((size - firstWord * 4) / BLOCK_BYTES));
  const halfBytes = FIRST_BYTES + (Math.max(1, Math.floor(blocks / 2)) - 1) * MORE_BYTES;
  return {
    size,
    blocks,
    marksByte: HEADER_BYTES,
    hashWord,
    hashMask: hashSize - 1,
    blocksWord: firstWord - BLOCK_WORDS,
    maxEntryBytes: Math.min(halfBytes, MAX_VALUE_BYTES + MAX_KEY_BYTES),
  };
}

/** Blocks that an entry with so many bytes takes. */
export const blocksForEntry = (bytes: number): number =>
  bytes <= FIRST_BYTES ? 1 : 1 + Math.ceil((bytes - FIRST_BYTES) / MORE_BYTES);
