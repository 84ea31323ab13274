/**
 * What a clustered store has more than another: a page behind the header that says how far this node has read
 * the log of each shard, and words behind each channel's record that place the cluster's positions. Without
 * `[cluster]` the file has none of them (layout.ts).
 *
 * In a clustered store a message's id is its position in the cluster, and CH_BASE is 0. Positions of one
 * counter follow each other; a counter that begins anew (another incarnation of the engine, or a channel that
 * rested for long) begins far above, and what lies between is a jump:
 *
 *   floor  … messages of one counter … from ]  nobody's  ] to  … messages of the next counter …
 *
 * A position inside of a jump was given out for a message that the cluster's history does not have: the tail
 * that a failover lost.
 */

/** Of the layout version: the file is that of a clustered node. */
export const CLUSTERED = 0x10000;

/**
 * Behind the header page; everywhere else worker slots begin there, so nobody looks here without
 * Layout.clusterWord.
 */
export const CLUSTER_PAGE_BYTES = 4096;

/**
 * The worker that reads the log for this node: its slot + 1, 0 = none. Taken by CAS, given back by its worker
 * or by main.
 */
export const HEAD_LEASE = 1024;
/**
 * Time of the newest message of any channel that was collected or deleted since: who saw nothing since before
 * it may have missed it.
 */
export const HEAD_FORGOTTEN_SEC = 1025;
/** Messages taken out again because a failover had lost them; two words. */
export const HEAD_LOST_TAIL = 1026;
/** Subscribers of the other nodes. */
export const HEAD_REMOTE_SUBSCRIBERS = 1028;
/** How often the reader of the log began, and messages that found no room here (two words). */
export const HEAD_READER_STARTS = 1029;
export const HEAD_UNPLACED = 1030;
/** Nodes heard of, this one included. */
export const HEAD_NODES = 1032;
/**
 * Epoch of the cluster this store belongs to; two words. Another one than HEAD_EPOCH: its content is not
 * known to be of it.
 */
export const HEAD_JOINED = 1034;
/** SHARD_* words, one group a shard. */
export const HEAD_SHARDS = 1056;
export const MAX_SHARDS = 16;
export const SHARD_WORDS = 48;

/**
 * The last entry that was applied: its term and number (two words each). Written under the lock, with what
 * the entry did.
 */
export const SHARD_TERM = 0;
export const SHARD_N = 2;
/** Messages ever published in the shard, as the log says; two words. */
export const SHARD_PUBLISHED = 4;
/** 1: everything there was when the reader came has been applied. */
export const SHARD_READY = 6;
/** Engine's time of the last entry, and this machine's when it was applied; seconds. */
export const SHARD_ENTRY_SEC = 7;
export const SHARD_APPLIED_SEC = 8;
/** Highest position known (two words). */
export const SHARD_TOP = 10;
/** How far the log reached when it was last asked, for the lag. Two words. */
export const SHARD_SEEN_N = 12;
/** 1: the reader hears the engine. */
export const SHARD_CONNECTED = 14;

/** When a publisher of this node last waited for its message to arrive here; milliseconds, the low word. */
export const SHARD_AWAITED_MS = 15;
/**
 * The newest incarnations: term and base, two words each, a ring by the low word of the term's number in it.
 */
export const SHARD_BASES = 16;
export const MOST_BASES = 4;
/** Of the same incarnations: time and tag of the fork, and of their own beginning (forks.ts). */
export const SHARD_FORKS = 32;

// Behind a channel's subscriber counts (Layout.clusterWord).
/** A position below it says nothing: what came before is not known here. Two words. */
export const CX_FLOOR = 0;
/** Where the counter in use began: its positions are above. Two words; 0 = nothing was applied yet. */
export const CX_BASE = 2;
/** Term and number of the entry that was applied last here. Two words each. */
export const CX_TERM = 4;
export const CX_N = 6;
/** Messages ever published to the channel, as the log says. Two words. */
export const CX_PUBLISHED = 8;
/** Subscribers on the other nodes. */
export const CX_REMOTE = 10;
export const CX_JUMP_COUNT = 11;
/** Newest last: `from` and `to`, two words each. */
export const CX_JUMPS = 12;
export const MOST_JUMPS = 4;
export const JUMP_WORDS = 4;
/** 1: the events channel was told by this node that it was made (events-outbox.ts). */
export const CX_TOLD = CX_JUMPS + MOST_JUMPS * JUMP_WORDS;
export const CX_WORDS = CX_TOLD + 2;
