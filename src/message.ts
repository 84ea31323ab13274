/**
 * What a message is called everywhere: the reserved ids and the stored flags. A leaf: imports nothing of
 * ours.
 *
 * Ordinary messages have ids 1, 2, 3 … per channel (push-stream spec 6.1). Ids below zero are made by the
 * server for one connection, are never stored and must not be used as a position (spec 4.18).
 */
export const PING_ID = -1;
export const CHANNEL_DELETED_ID = -2;
export const TIMED_OUT_ID = -3;

/** Of an idempotency key, from wherever it comes. */
export const MAX_KEY_BYTES = 256;

/** Message flags, as kept in the message header in the store. */
export const FLAG_STORED = 1;
/** The entry in the dispatch ring that tells every worker that its channel was deleted. */
export const FLAG_DELETION = 2;
/**
 * Of an internal channel (store/channel/internal-channels.ts): in no count that users see, and kept apart
 * from their messages.
 */
export const FLAG_INTERNAL = 4;
/** No webhook is told of it: a webhook's own request has published it. */
export const FLAG_UNTOLD = 8;
/** The first bytes behind the data are its `traceparent` (http/traceparent.ts). */
export const FLAG_TRACED = 32;
/** Above these bits stands how many bytes are behind the data: trace, and who published it. */
export const BEHIND_SHIFT = 16;
export const MOST_BY_BYTES = 1024;

/** What is kept with a message beside what was sent. */
export interface Marks {
  /** Who published it, MOST_BY_BYTES at most; empty: nobody said. For webhooks alone. */
  readonly by: Uint8Array;
  /** For webhooks alone. */
  readonly isUntold: boolean;
  /** Its `traceparent`; null: it has none. */
  readonly trace: Uint8Array | null;
}
/**
 * An event about who is there (presence). It has the id of the message before it, and a number of its own;
 * who does not ask for such events sees nothing of them, not even a hole in the ids.
 */
export const FLAG_PRESENCE = 16;
