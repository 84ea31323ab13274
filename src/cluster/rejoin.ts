/**
 * An engine that was emptied, and that a node without memory reached before those who knew the cluster: it
 * has another epoch then. Nothing that this node read is in its history, so it is taken out, whoever had it
 * is told, and the node goes on in that epoch. Used by fork.ts and log-reader.ts; what the engine says
 * counts, so that two nodes never take it from each other.
 *
 * The first shard says what the epoch is. Another one whose engine has a different epoch was left behind, and
 * is told it.
 */
import { log } from "../log.ts";
import { BUSY } from "../store/outcome.ts";
import type { ReplicaStore } from "../store/replica/replica-store.ts";
import type { Calls } from "./engine-connection.ts";
import type { ShardKeys } from "./keys.ts";

const BUSY_MS = 5;
const NOTHING_OF_IT = { term: 0, n: 0, sec: 0, tag: 0 };

export interface RejoinOptions {
  readonly replica: ReplicaStore;
  readonly keys: ShardKeys;
  readonly shard: number;
  readonly isOfShard: (name: Uint8Array) => boolean;
}

export class Rejoin {
  readonly #options: RejoinOptions;

  constructor(options: RejoinOptions) {
    this.#options = options;
  }

  /**
   * True: the epoch was another one, and is this node's from here on. `base`: where positions begin there, 0
   * = not known.
   */
  async takeOver(epoch: number, base: number): Promise<boolean> {
    const { replica, shard, isOfShard } = this.#options;
    if (shard !== 0 || epoch === 0 || epoch === replica.joinedEpoch) return false;
    // First: what subscribers are given from here on is a place in the other history.
    replica.join(epoch);
    let torn = replica.tornChannels(NOTHING_OF_IT, isOfShard);
    for (; torn === null; torn = replica.tornChannels(NOTHING_OF_IT, isOfShard)) await Bun.sleep(BUSY_MS);
    let lost = 0;
    for (const channel of torn) {
      const rest = { last: 0, published: 0, base };
      let outcome = BUSY;
      while (outcome === BUSY) {
        outcome = replica.cutTail(channel, rest, NOTHING_OF_IT, base, Date.now());
        if (outcome === BUSY) await Bun.sleep(BUSY_MS);
      }
      lost += outcome;
    }
    log("warn", "the engine was emptied, and a new node began it anew: subscribers are told", {
      messages: lost,
      channels: torn.length,
    });
    return true;
  }

  /** The log is read from its first entry. */
  async beginAnew(): Promise<void> {
    const { replica, shard } = this.#options;
    while (!replica.beginLog(shard)) await Bun.sleep(BUSY_MS);
  }

  /** What the engine says; 0: nothing. */
  async ask(redis: Calls): Promise<number> {
    const { replica, keys, shard } = this.#options;
    const found = Number((await redis.call("HGET", keys.meta, "epoch")) ?? 0);
    const own = replica.joinedEpoch;
    if (shard !== 0 && found !== 0 && own !== 0 && found !== own)
      await redis.call("HSET", keys.meta, "epoch", String(own));
    return found;
  }
}
