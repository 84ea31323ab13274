/**
 * The page of the store file that webhooks have, behind the header (and the cluster's page): who sends, how
 * far the ring was told, and for each webhook how far it was told. It is in every file, so that a reload may
 * name the first webhook. Word offsets from Layout.webhooksWord.
 *
 *   WH_LEASE  WH_BEAT  WH_TELLS  WH_TOLD … | entry 0: digest, position, counters … | entry 1 | … | entry 15 |
 */

export const WEBHOOKS_PAGE_BYTES = 4096;

/**
 * The worker that tells and sends: its slot + 1, 0 = none. Taken by CAS, given back by its worker, or with
 * its slot.
 */
export const WH_LEASE = 0;
/** Date.now() of its last sign of life, the low word. */
export const WH_BEAT = 1;
/** 1: publishes and deletions are told, so what is behind WH_TOLD in the ring is owed (slots.ts). */
export const WH_TELLS = 2;
/**
 * Serial of the first entry of the ring that was not told yet; two words, written under the lock with what
 * was told.
 */
export const WH_TOLD = 4;

export const WH_ENTRIES = 64;
export const MOST_WEBHOOKS = 16;
export const ENTRY_WORDS = 32;

/** 128 bits of a digest of its name; all 0: the entry is free. */
export const ENTRY_DIGEST = 0;
export const DIGEST_WORDS = 4;
/** Id of the last event that was sent or did not concern it. Two words each from here. */
export const ENTRY_POSITION = 4;
export const ENTRY_SENT_EVENTS = 6;
export const ENTRY_SENT_BATCHES = 8;
export const ENTRY_FAILED = 10;
/** Times it was told of a gap. */
export const ENTRY_GAPS = 12;
/**
 * Since when it fails; 0 = it does not. Status of its last answer; 0 = none came. When the last batch was
 * taken. Seconds.
 */
export const ENTRY_FAILING_SEC = 14;
export const ENTRY_STATUS = 15;
export const ENTRY_TAKEN_SEC = 16;
