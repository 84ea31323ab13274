/**
 * Which node sends webhooks, and how far they were told: one key of the first shard that runs out, and a hash
 * beside it. Both in one script, so a node that has lost its turn writes no place any more. Asked about once
 * a second by the one worker of each node that would send (webhooks/node-turn.ts); app.ts hands it over.
 * Which node runs the timers of handlers is another such key (handlers/timer-turn.ts).
 *
 * A connection of its own: this is no part of the log, and must not wait behind it.
 */
import type { Redis } from "ioredis";
import type { ClusterConfig } from "../config/model/cluster.ts";
import { connectTo } from "./connect.ts";
import { findPrimary } from "./discovery.ts";
import { ShardKeys } from "./keys.ts";
import { engineOf } from "./node.ts";

const EXCHANGE = `
local owner = redis.call('GET', KEYS[1])
local ours = owner == ARGV[1] or (not owner and ARGV[2] ~= '0')
if ours then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  for at = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
end
return {ours and 1 or 0, owner or '', unpack(redis.call('HGETALL', KEYS[2]))}
`;

export interface Exchanged {
  /** This node has the turn, for as long as was asked for. */
  readonly isOurs: boolean;
  /** It is still that of an earlier life of this node. */
  readonly isFormers: boolean;
  /** By name of the webhook: what the node that sends has said of it last. */
  readonly places: ReadonlyMap<string, string>;
}

export class WebhookLease {
  readonly #config: ClusterConfig;
  readonly #keys: ShardKeys;
  readonly #what: "webhooks" | "timers";
  readonly #owner: string;
  #redis: Promise<Redis> | null = null;

  /** `life`: whoever has the turn in another life has another's; null: a node keeps it over its lives. */
  constructor(config: ClusterConfig, what: "webhooks" | "timers", life: string | null) {
    this.#config = config;
    this.#owner = life === null ? config.node : `${config.node} ${life}`;
    this.#what = what;
    this.#keys = new ShardKeys(config.name, 0);
  }

  get node(): string {
    return this.#config.node;
  }

  /**
   * Takes the turn if nobody has it, or keeps it, and says places then; for no time at all it only asks.
   * Rejects when the engine is away; it is asked anew next time.
   */
  async exchange(forMs: number, places: ReadonlyMap<string, string>): Promise<Exchanged> {
    const { sending, told } = this.#keys[this.#what];
    const words = [...places].flat();
    try {
      this.#redis ??= this.#connect();
      const redis = await this.#redis;
      const answer = await redis.call(
        "EVAL",
        EXCHANGE,
        "2",
        sending,
        told,
        this.#owner,
        String(forMs),
        ...words,
      );
      return this.#read(answer);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  stop(): void {
    const gone = this.#redis;
    this.#redis = null;
    gone?.then(
      (redis) => redis.disconnect(),
      // It never was one.
      () => undefined,
    );
  }

  async #connect(): Promise<Redis> {
    const engine = engineOf(this.#config, 0);
    const host = await findPrimary(this.#config, engine, this.#keys);
    return await connectTo(this.#config, engine, host, "data");
  }

  #read(answer: unknown): Exchanged {
    const [ours, owner = "", ...pairs] = Array.isArray(answer) ? answer.map(String) : [];
    const places = new Map<string, string>();
    for (let at = 0; at + 1 < pairs.length; at += 2) places.set(pairs[at] ?? "", pairs[at + 1] ?? "");
    const isOurs = ours === "1";
    return { isOurs, isFormers: !isOurs && owner.split(" ", 1)[0] === this.node, places };
  }
}
