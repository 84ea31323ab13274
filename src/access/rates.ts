/**
 * `rate` of a location: one token bucket for each client, by who it is or else by address. In each worker, as
 * the limits on new channels are (front/channel-quota.ts), and for the same reason: shared counting would put
 * a write to shared memory before every request.
 */

import type { RateConfig } from "../config/model/access.ts";
import { addressKey } from "../config/server/network.ts";
import type { KnownPeer } from "../http/peer.ts";

/**
 * Remembered at a time, some 100 bytes each. Who is forgotten, because so many others came since, begins
 * anew.
 */
const MOST = 10_000;

interface Bucket {
  tokens: number;
  filledMs: number;
}

export class Rates {
  readonly config: RateConfig;
  readonly #nowMs: () => number;
  /** The one that was used last stands last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(config: RateConfig, nowMs: () => number = () => performance.now()) {
    this.config = config;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one; false: there is none. */
  take(key: string): boolean {
    const bucket = this.#filled(key);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Whether there is one, without taking it. */
  has(key: string): boolean {
    return this.#filled(key).tokens >= 1;
  }

  /** Whole seconds until there is one again; 1 at least. */
  get waitSec(): number {
    return Math.max(1, Math.ceil(1 / this.config.perSec));
  }

  #filled(key: string): Bucket {
    const { perSec, most } = this.config;
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(key) ?? { tokens: most, filledMs: nowMs };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MOST) this.#forgetOldest();
    bucket.tokens = Math.min(most, bucket.tokens + ((nowMs - bucket.filledMs) / 1000) * perSec);
    bucket.filledMs = nowMs;
    return bucket;
  }

  #forgetOldest(): void {
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/**
 * Names and addresses are never taken for each other. Through a unix socket nobody has an address, and all
 * are one.
 */
export const rateKey = (sub: string | null, peer: () => KnownPeer): string => {
  if (sub !== null) return `s ${sub}`;
  const client = peer();
  return client.kind === "unix" ? "unix" : `a ${addressKey(client.address)}`;
};
