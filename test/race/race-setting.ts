/** What all processes of a race agree on. */
import type { StorePolicy } from "../../src/store/store.ts";

export const RACE_POLICY: StorePolicy = {
  // Nothing goes by time: one process sweeps with a clock of its own, to see records reused.
  messageTtlSec: 0,
  unstoredTtlSec: 0,
  maxStoredPerChannel: 0,
  maxStoredBytesPerChannel: 0,
  channelInactivitySec: 0,
  keyWindowSec: 300,
  maxChannels: 0,
  maxWildcardChannels: 0,
  wildcardPrefix: new Uint8Array(0),
  eventsChannel: new Uint8Array(0),
};

/** With an events channel, and with channels that are collected. */
export const EVENTS_POLICY: StorePolicy = {
  ...RACE_POLICY,
  channelInactivitySec: 3,
  keyWindowSec: 300,
  eventsChannel: new TextEncoder().encode("events"),
};

export const RACE_CHANNELS = 5;
/** Messages that a writer of an even number puts in at once. */
export const TOGETHER = 8;

const encoder = new TextEncoder();
export const raceName = (number: number): Uint8Array<ArrayBuffer> => encoder.encode(`race ${number}`);

/** What a reader prints as JSON at its end. */
export interface ReaderResult {
  faults: string[];
  delivered: number;
  /** Gaps it could name, in messages. */
  missed: number;
  lapped: number;
  evicted: number;
  walks: number;
}
