/**
 * What the configuration says about storing: a leaf of store/, read by append, open and the sweep. 0 =
 * unlimited everywhere.
 */
import { NEVER_SEC } from "./memory/layout-header.ts";

export interface StorePolicy {
  messageTtlSec: number;
  unstoredTtlSec: number;
  maxStoredPerChannel: number;
  /** Of the blocks that stored messages of a channel take; the newest stays, however long. */
  maxStoredBytesPerChannel: number;
  channelInactivitySec: number;
  /** How long an idempotency key is remembered. */
  keyWindowSec: number;
  /** Limits a class of channels each (push-stream spec 3.5); the events channel counts for the first. */
  maxChannels: number;
  maxWildcardChannels: number;
  /** Names that start with it are wildcard channels; empty = there are none. */
  wildcardPrefix: Uint8Array;
  /**
   * Id of the events channel, empty = none. Read when the store is opened, and only then (push-stream spec
   * 7).
   */
  eventsChannel: Uint8Array;
  /** null, or absent: there are no webhooks. */
  webhooks?: WebhookPolicy | null;
}

/** When what is put in now expires. */
export const expiry = (ttlSec: number, nowSec: number): number =>
  ttlSec === 0 ? NEVER_SEC : nowSec + ttlSec;

export interface WebhookPolicy {
  /** What their events may take of the store. */
  readonly backlogBytes: number;
  /**
   * Whether some webhook wants to know who is in this channel. Asked under the lock, for the first of them.
   */
  readonly isWatched: (channel: Uint8Array) => boolean;
  /**
   * Whether some webhook is told of members who join this channel, or leave it. Absent: none is. Asked under
   * the lock.
   */
  readonly tellsMembers?: (channel: Uint8Array, kind: "joined" | "left") => boolean;
}

/** Whether a name stands for a wildcard channel (push-stream spec 3.6): a plain starts-with. */
export function isWildcardName({ wildcardPrefix }: StorePolicy, name: Uint8Array): boolean {
  const { length } = wildcardPrefix;
  if (length === 0 || name.length < length) return false;
  for (let at = 0; at < length; at++) if (name[at] !== wildcardPrefix[at]) return false;
  return true;
}
