/**
 * The words of the header page (layout.ts has the drawing): what kind of file this is, the lock, the heads of
 * all lists, and what is counted for the whole store.
 */
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
