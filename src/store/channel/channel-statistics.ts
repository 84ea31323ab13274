/**
 * What statistics pages and publish answers say of a channel or of the whole store; read without a lock, so a
 * snapshot.
 */
import { readFence } from "../memory/arena.ts";
import { BUSY } from "../outcome.ts";
import type { Store } from "../store.ts";
import { ChannelRef, type NamedChannel } from "./channel-ref.ts";
import { livingChannels } from "./channels.ts";

const found = new ChannelRef();

export interface ChannelCounts {
  readonly name: Uint8Array;
  readonly published: number;
  readonly stored: number;
  readonly subscribers: number;
  /** Of a channel that counts who is there (presence); absent: it does not. */
  readonly members?: number;
}

/** null: it is gone. */
export function channelCounts(
  store: Store,
  { index, incarnation, name }: NamedChannel,
): ChannelCounts | null {
  const counts = {
    name,
    published: store.positions.publishedTotal(index),
    stored: store.storedCount(index),
    subscribers: store.subscribers.countOf(index),
  };
  // Another process may have removed it while it was read, and its record may be another's by now. Pairs with
  // retireChannel.
  readFence();
  return store.isLive(index, incarnation) ? counts : null;
}

/** For who asks; whoever publishes is not told of members. */
function countsOf(store: Store, channel: NamedChannel): ChannelCounts | null {
  const counts = channelCounts(store, channel);
  const members = store.members?.countOf(channel.index, channel.incarnation) ?? null;
  return counts === null || members === null ? counts : { ...counts, members };
}

/** The same by name. "busy": whether there is such a channel is not to be known now. */
export function countsByName(store: Store, name: Uint8Array): ChannelCounts | "busy" | null {
  const index = store.find(name, found);
  if (index < 0) return index === BUSY ? "busy" : null;
  return countsOf(store, { index: found.index, incarnation: found.incarnation, name });
}

/**
 * The channels that live when it is made, in creation order, to be counted one by one whenever there is time:
 * a list of all may take longer than a turn of the event loop. It holds numbers, nothing in the store, so
 * channels may come and go meanwhile.
 */
export class LivingChannels {
  readonly #store: Store;
  readonly #indices: Uint32Array;
  readonly #incarnations: Uint32Array;

  /** null: busy. */
  static of(store: Store): LivingChannels | null {
    const living = livingChannels(store.arena);
    return living === null ? null : new LivingChannels(store, living.indices, living.incarnations);
  }

  private constructor(store: Store, indices: Uint32Array, incarnations: Uint32Array) {
    this.#store = store;
    this.#indices = indices;
    this.#incarnations = incarnations;
  }

  get length(): number {
    return this.#indices.length;
  }

  /** Of the `at`-th channel; it may be another's by now. */
  indexAt(at: number): number {
    return this.#indices[at]!;
  }

  /** The counts of the `at`-th channel if it is still the same and its name starts so; else null. */
  counts(at: number, prefix: Uint8Array): ChannelCounts | null {
    const index = this.#indices[at]!;
    const incarnation = this.#incarnations[at]!;
    if (!this.#store.isLive(index, incarnation)) return null;
    const name = this.#store.name(index);
    return startsWith(name, prefix) ? countsOf(this.#store, { index, incarnation, name }) : null;
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
