/**
 * Part of the checked configuration (../model.ts): what is kept of messages, and how much of anything there
 * may be.
 */
import type { StoreSync } from "../store-sync.ts";

export interface StoreConfig {
  readonly size: number;
  /** null: $RUNTIME_DIRECTORY, else /dev/shm, else the temp folder. */
  readonly path: string | null;
  readonly sync: StoreSync;
  readonly blockSize: number;
  /** How many channel records are preallocated; 0 = from the size. */
  readonly channels: number;
  readonly ringSize: number;
  /** Idempotency keys that are remembered at a time. */
  readonly keys: number;
  /** Members of all channels that have room. */
  readonly members: number;
  /** Messages outlive a restart, also without a path. */
  readonly keep: boolean;
  /** The zone's name in logs. */
  readonly zone: string;
}

export interface MessagesConfig {
  readonly ttlSec: number;
  readonly unstoredTtlSec: number;
  readonly maxStoredPerChannel: number;
  readonly maxStoredBytesPerChannel: number;
  readonly channelInactivitySec: number;
  readonly keyWindowSec: number;
  readonly channelDeletedText: string;
  readonly pingText: string;
  /** A long poll that timed out is answered 200 with a message (id -3) instead of 304. */
  readonly timeoutWithBody: boolean;
  /** "" = off, both. */
  readonly wildcardChannelPrefix: string;
  readonly eventsChannelId: string;
}

/** Limits; 0 = unlimited, except maxConnections, where 0 = what the descriptor limit allows. */
export interface LimitsConfig {
  readonly maxBodyBytes: number;
  /**
   * Of a WebSocket client's message; 0 = what the store can hold, null = the largest body any location takes.
   */
  readonly maxFrameBytes: number | null;
  /** Of any connection: what it was sent and does not take, in memory. */
  readonly maxUnsentBytes: number;
  /** How long a WebSocket client may send no whole frame; 0 = for ever. */
  readonly maxSilenceMs: number;
  readonly maxConnections: number;
  readonly maxNumberOfChannels: number;
  readonly maxNumberOfWildcardChannels: number;
  /** Within a minute, in each worker. */
  readonly maxChannelsCreatedPerAddress: number;
  readonly maxChannelIdLength: number;
  readonly maxSubscribersPerChannel: number;
  readonly maxChannelsPerRequest: number;
  readonly maxMessagesPerRequest: number;
}
