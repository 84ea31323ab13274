/** What statistics pages and publish answers say of a channel or of the whole store; read without a lock, so a snapshot. */
import { readFence } from "./arena.ts";
import { livingChannels } from "./channels.ts";
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

/**
 * The channels that live when it is made, in creation order, to be counted one by one whenever there is time: a list of all may take
 * longer than a turn of the event loop. It holds numbers, nothing in the store, so channels may come and go meanwhile.
 */
export class LivingChannels {
  readonly #store: Store;
  readonly #indices: Uint32Array;
  readonly #incarnations: Uint32Array;

  constructor(store: Store) {
    this.#store = store;
    const { indices, incarnations } = livingChannels(store.arena);
    this.#indices = indices;
    this.#incarnations = incarnations;
  }

  get length(): number {
    return this.#indices.length;
  }

  /** The counts of the `at`-th channel if it is still the same and its name starts so; else null. */
  counts(at: number, prefix: Uint8Array): ChannelCounts | null {
    const index = this.#indices[at]!;
    const incarnation = this.#incarnations[at]!;
    if (!this.#store.isLive(index, incarnation)) return null;
    const name = this.#store.name(index);
    if (!startsWith(name, prefix)) return null;
    const counts = channelCounts(this.#store, index, name);
    // Another process may have removed it while it was read, and its record may be another's by now. Pairs with retireChannel.
    readFence();
    return this.#store.isLive(index, incarnation) ? counts : null;
  }
}

function startsWith(name: Uint8Array, prefix: Uint8Array): boolean {
  if (name.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (name[i] !== prefix[i]) return false;
  return true;
}

export function zoneCounts(store: Store, hostname: string, nowMs: number) {
  const timeSec = Math.floor(nowMs / 1000);
  const totals = store.totals(nowMs);
  return {
    hostname,
    timeSec,
    channels: totals.channels,
    wildcardChannels: totals.wildcardChannels,
    uptimeSec: timeSec - store.startedSec,
  };
}
