/**
 * The words of a message's blocks, and of those of a name (layout.ts has the drawing).
 */
// Message header. MSG_CHECK covers the words MSG_NEXT to MSG_SERIAL + 1. Of those only expiry and flags ever
// change, once, when a stored message is demoted (unlinking.ts).
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
