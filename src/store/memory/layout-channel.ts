/**
 * The words of a channel's record (layout.ts has the drawing), and the states and classes it may have.
 */
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
