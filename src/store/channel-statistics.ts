/** What statistics pages and publish answers say of a channel or of the whole store; read without a lock, so a snapshot. */
import type { Store } from "./store.ts";

export interface ChannelCounts {
  readonly name: Uint8Array;
  readonly published: number;
  readonly stored: number;
  readonly subscribers: number;
}

/** `name` saves reading it out of the store again. */
export function channelCounts(
  store: Store,
  index: number,
  name: Uint8Array = store.name(index),
): ChannelCounts {
  return {
    name,
    published: store.publishedCount(index),
    stored: store.storedCount(index),
    subscribers: store.subscriberCount(index),
  };
}

export function zoneCounts(store: Store, hostname: string, nowMs: number) {
  const timeSec = Math.floor(nowMs / 1000);
  const totals = store.totals(nowMs);
  return {
    hostname,
    timeSec,
    channels: totals.channels,
    wildcardChannels: 0,
    uptimeSec: timeSec - store.startedSec,
  };
}
