/**
 * Names of a cluster's keys in the engine, and which shard a channel is in. The same on every node, and for
 * good.
 */
const PRIME = 0x01000193;
const OFFSET = 0x811c9dc5;

/** FNV-1a over the name: no seed, no version, so that every release of every node deals channels alike. */
export function shardOf(name: Uint8Array, shards: number): number {
  if (shards === 1) return 0;
  let hash = OFFSET;
  for (const byte of name) hash = Math.imul(hash ^ byte, PRIME);
  return (hash >>> 0) % shards;
}

export class ShardKeys {
  readonly meta: string;
  readonly log: string;
  readonly nodes: string;
  /** What was taken back; of the first shard. */
  readonly revoked: string;
  /** Which node sends webhooks, and how far they were told; of the first shard. */
  readonly webhooks: { readonly sending: string; readonly told: string };
  /** Which node runs the timers of handlers; likewise, and nothing is told. */
  readonly timers: { readonly sending: string; readonly told: string };
  /** What the keys of counters begin with; the channel comes behind. */
  readonly counters: Buffer;
  readonly #keyed: Buffer;
  readonly #answers: Buffer;

  constructor(name: string, shard: number) {
    const prefix = `{sluice:${name}:${shard}}`;
    this.meta = `${prefix}meta`;
    this.log = `${prefix}log`;
    this.nodes = `${prefix}nodes`;
    this.revoked = `${prefix}revoked`;
    this.webhooks = { sending: `${prefix}webhooks-sending`, told: `${prefix}webhooks-told` };
    this.timers = { sending: `${prefix}timers`, told: `${prefix}timers-told` };
    this.counters = Buffer.from(`${prefix}c:`);
    this.#keyed = Buffer.from(`${prefix}k:`);
    this.#answers = Buffer.from(`${prefix}a:`);
  }

  counter(channel: Uint8Array): Buffer {
    return Buffer.concat([this.counters, channel]);
  }

  /** Who makes the answer of a handler in this channel (answer-leases.ts). */
  answer(channel: Uint8Array): Buffer {
    return Buffer.concat([this.#answers, channel]);
  }

  /** Of an idempotency key, whose digest is known alone. */
  keyed(digest: Uint32Array): Buffer {
    return Buffer.concat([this.#keyed, Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength)]);
  }
}
