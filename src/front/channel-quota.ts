/**
 * How many channels one client address may make within a minute (`max_channels_created_per_address`), so that
 * nobody fills the store with channels that others need. A token bucket an address, one quota a worker:
 * connections spread over workers, so a client may come to as many times the number as there are workers.
 * Shared counting would put a write to shared memory before every new channel, for a bound that need not be
 * exact.
 *
 * Clients of a proxy that is not trusted to name them have its address, and are counted as one. Through a
 * unix socket nobody has one, and nobody is counted unless the proxy there is trusted: who may connect is the
 * file system's to say.
 */

import { addressKey } from "../config/server/network.ts";
import type { KnownPeer } from "../http/peer.ts";

/**
 * What becomes of a channel that is asked for and not there: it is made, it is not, or that is to be asked.
 */
export type MayMake = "yes" | "no" | (() => boolean);

const WINDOW_MS = 60_000;
/**
 * Addresses remembered at a time, some 100 bytes each. Who is forgotten, because 10,000 others came since,
 * begins anew.
 */
const MOST_ADDRESSES = 10_000;
interface Bucket {
  tokens: number;
  filledMs: number;
}

export class ChannelQuota {
  readonly #perWindow: number;
  readonly #nowMs: () => number;
  /** The one that was used last stands last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(perWindow: number, nowMs: () => number = () => performance.now()) {
    this.#perWindow = perWindow;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#buckets.size;
  }

  of(peer: KnownPeer): MayMake {
    if (peer.kind === "unix") return "yes";
    const key = addressKey(peer.address);
    return () => this.#take(key);
  }

  /** Takes one token; false: there is none. */
  #take(key: string): boolean {
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#perWindow, filledMs: nowMs };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MOST_ADDRESSES) this.#forgetOldest();
    const grown = ((nowMs - bucket.filledMs) / WINDOW_MS) * this.#perWindow;
    bucket.tokens = Math.min(this.#perWindow, bucket.tokens + grown);
    bucket.filledMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
