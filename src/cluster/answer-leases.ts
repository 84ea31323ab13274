/**
 * Which worker of which node makes which answer (handlers/clustered-answers.ts): one key of the channel's
 * shard for each, that runs out unless whoever makes it says so again. Its value is that worker's name, and
 * empty for a while once the answer is over: a node that has not read so far yet must not begin it again.
 *
 *   none ──hold──► ours / made ──end, off, dead──► over ──time──► none
 *   none ──bury──► over        whoever made it has died: one node is told so, and tells the others
 *
 * A connection of its own, as webhook-lease.ts has: this is no part of the log, and must not wait behind it.
 */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { ClusterConfig } from "../config/model/cluster.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { connectTo } from "./connect.ts";
import { findPrimary } from "./discovery.ts";
import { ShardKeys, shardOf } from "./keys.ts";
import { engineOf } from "./node.ts";

const HOLD_MS = 5000;
/** Longer than a node may be behind that the engine still answers. */
const OVER_MS = 10_000;
/** Keys of one call: the engine does nothing else meanwhile. */
const MOST_KEYS = 256;
const FULL = /^(OOM|MISCONF|NOREPLICAS)\b/;

/** The same for any number of answers of a shard. ARGV: step, name of the worker, how long it holds, over. */
const SCRIPT = `
local step, who = ARGV[1], ARGV[2]
local said = {}
for at, key in ipairs(KEYS) do
  local owner = redis.call('GET', key)
  local is = 'made'
  if not owner then is = 'none' elseif owner == '' then is = 'over' elseif owner == who then is = 'ours' end
  local isMade = is == 'made' or is == 'ours'
  if (step == 'end' and is == 'ours') or (step == 'off' and isMade) or (step == 'bury' and is == 'none')
    or (step == 'dead' and is == 'made' and string.sub(owner, 1, #who) == who) then
    redis.call('SET', key, '', 'PX', ARGV[4])
    is = 'done'
  elseif step == 'hold' and is == 'ours' then
    redis.call('PEXPIRE', key, ARGV[3])
  elseif step == 'hold' and is == 'none' then
    redis.call('SET', key, who, 'PX', ARGV[3])
    is = 'ours'
  end
  said[at] = is
end
return said
`;

export type LeaseStep = "look" | "hold" | "end" | "off" | "bury" | "dead";
/** "done": by this step. */
export type LeaseSaid = "none" | "made" | "ours" | "over" | "done";

export class AnswerLeases {
  readonly #config: ClusterConfig;
  readonly #shards = new Map<number, ShardOfLeases>();
  readonly #life = randomUUID();

  constructor(config: ClusterConfig) {
    this.#config = config;
  }

  /**
   * What is so of each answer, or was done; a refusal: nobody knows. Never rejects. `pid`: of the worker that
   * is "dead"; else this one.
   */
  async ask(
    step: LeaseStep,
    names: readonly Uint8Array[],
    pid = process.pid,
  ): Promise<readonly LeaseSaid[] | Refusal> {
    const life = step === "dead" ? "" : this.#life;
    const who = `${this.#config.node} ${pid} ${life}`;
    const said = new Map<Uint8Array, LeaseSaid>();
    for (const [shard, own] of Map.groupBy(names, (name) => shardOf(name, this.#config.shards)))
      for (let from = 0; from < own.length; from += MOST_KEYS) {
        const part = own.slice(from, from + MOST_KEYS);
        try {
          const answer = await this.#shard(shard).call(step, who, part);
          for (const [at, name] of part.entries()) said.set(name, answer[at] ?? "made");
        } catch (error) {
          return refusalOf(error);
        }
      }
    return names.map((name) => said.get(name) ?? "made");
  }

  #shard(shard: number): ShardOfLeases {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const made = new ShardOfLeases(this.#config, shard);
    this.#shards.set(shard, made);
    return made;
  }
}

class ShardOfLeases {
  readonly #config: ClusterConfig;
  readonly #shard: number;
  readonly #keys: ShardKeys;
  #redis: Promise<Redis> | null = null;

  constructor(config: ClusterConfig, shard: number) {
    this.#config = config;
    this.#shard = shard;
    this.#keys = new ShardKeys(config.name, shard);
  }

  /** Rejects when the engine refuses, or does not answer in time: then it is looked for anew next time. */
  async call(step: LeaseStep, who: string, names: readonly Uint8Array[]): Promise<readonly LeaseSaid[]> {
    const timer = setTimeout(() => this.#leave(), this.#config.engineTimeoutMs);
    try {
      this.#redis ??= this.#connect();
      const redis = await this.#redis;
      const keys = names.map((name) => this.#keys.answer(name));
      const words = [step, who, String(HOLD_MS), String(OVER_MS)];
      const said = await redis.call("EVAL", SCRIPT, String(keys.length), ...keys, ...words);
      return (Array.isArray(said) ? said : []).map((each) => String(each) as LeaseSaid);
    } catch (error) {
      this.#leave();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is still waited for is rejected. */
  #leave(): void {
    const gone = this.#redis;
    this.#redis = null;
    gone?.then(
      (redis) => redis.disconnect(),
      // It never was one.
      () => undefined,
    );
  }

  async #connect(): Promise<Redis> {
    const engine = engineOf(this.#config, this.#shard);
    const host = await findPrimary(this.#config, engine, this.#keys);
    return await connectTo(this.#config, engine, host, "data");
  }
}

/** As for a publish (publisher.ts): what the engine says for itself is another thing than its silence. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Error) || error.name !== "ReplyError") return Refusals.engineAway;
  return FULL.test(error.message) ? Refusals.engineFull : Refusals.engineRefused;
}
