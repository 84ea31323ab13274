/**
 * What main, and `check --connect`, find out about the engine before anybody serves: that it will do, and the
 * cluster's epoch, which every position holds. Made once for each name, by the first node that comes.
 */
import type { Redis } from "ioredis";
import { engineText } from "../config/engine-address.ts";
import type { ClusterConfig } from "../config/model/cluster.ts";
import { connectTo } from "./connect.ts";
import { findPrimary } from "./discovery.ts";
import { ShardKeys } from "./keys.ts";
import { engineOf } from "./node.ts";
import { APPEND } from "./script.ts";
import { askServer, unfit } from "./server-info.ts";

export type EngineOutcome =
  | { readonly kind: "ready"; readonly epoch: number }
  /** It may be there in a moment. */
  | { readonly kind: "away"; readonly sentence: string }
  /** No waiting helps. */
  | { readonly kind: "unfit"; readonly sentence: string };

const UNFIT = new RegExp(
  "WRONGPASS|NOAUTH|NOPERM|without any password|unknown command|cluster support disabled|" +
    "the environment has no|ENOENT|EACCES|certificate|self.signed|SSL|TLS|Protocol error|Invalid password",
  "i",
);

/** Of the parser. */
const NOT_REDIS = /RESP type|Protocol error/i;

/**
 * `epoch`: the one this node has from before, which an emptied engine is given back; 0 = none; null = only
 * asks, and changes nothing.
 */
export async function askEngine(config: ClusterConfig, epoch: number | null): Promise<EngineOutcome> {
  let known = epoch;
  for (let shard = 0; shard < config.shards; shard++) {
    const engine = engineOf(config, shard);
    const place = engineText(engine);
    const keys = new ShardKeys(config.name, shard);
    let redis: Redis | null = null;
    try {
      redis = await connectTo(config, engine, await findPrimary(config, engine, keys), "data");
      const fault = unfit(await askServer(redis)) ?? (await rightsFault(redis, keys, config));
      if (fault !== null) return { kind: "unfit", sentence: `cluster.engine: ${place} ${fault}.` };
      const agreed = await agree(redis, keys, config, known);
      if (typeof agreed === "string") return { kind: "unfit", sentence: `cluster: ${agreed}` };
      known = agreed;
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      const cause = NOT_REDIS.test(said) ? "it does not answer like Redis" : said.replace(/\.$/, "");
      const sentence = `cluster.engine: ${place} cannot be used: ${cause}.`;
      return { kind: UNFIT.test(cause) || NOT_REDIS.test(said) ? "unfit" : "away", sentence };
    } finally {
      redis?.disconnect();
    }
  }
  return { kind: "ready", epoch: known ?? 0 };
}

/** The commands that are used: a user may lack one of them. */
async function rightsFault(redis: Redis, { log }: ShardKeys, { ack }: ClusterConfig): Promise<string | null> {
  const tries: readonly (readonly [string, ...string[]])[] = [
    ["SCRIPT", "LOAD", APPEND],
    ["XREAD", "COUNT", "1", "STREAMS", log, "0-0"],
    ["XRANGE", log, "-", "+", "COUNT", "1"],
    ["XLEN", log],
    ["MEMORY", "USAGE", log],
    ["CLIENT", "KILL", "ID", "0"],
    ...(ack === "replica" ? [["WAIT", "0", "1"] as const] : []),
  ];
  for (const [command, ...words] of tries) {
    try {
      await redis.call(command, ...words);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      if (cause.startsWith("NOPERM")) return `does not let this user do ${command}`;
      if (cause.startsWith("WRONGTYPE")) return `has another kind of value at ${log}`;
    }
  }
  return null;
}

/** The epoch of the cluster, or a sentence. All shards have the same. */
async function agree(
  redis: Redis,
  { meta }: ShardKeys,
  { shards, name }: ClusterConfig,
  known: number | null,
): Promise<number | string | null> {
  const found = await redis.call("HMGET", meta, "epoch", "shards");
  const [epoch, count] = Array.isArray(found) ? found : [];
  if (count !== null && count !== undefined && Number(count) !== shards)
    return `the name ${name} is used with ${String(count)} shards already; cluster.shards is ${shards}.`;
  if (epoch !== null && epoch !== undefined) return Number(epoch);
  if (known === null) return null;
  await redis.call("HSETNX", meta, "epoch", String(known || newEpoch()));
  await redis.call("HSETNX", meta, "shards", String(shards));
  return Number(await redis.call("HGET", meta, "epoch"));
}

/** As a store's own (store/life.ts): seconds, and 22 random bits. */
function newEpoch(): number {
  const [salt = 0] = crypto.getRandomValues(new Uint32Array(1));
  return Math.floor(Date.now() / 1000 - EPOCH_START_SEC) * 0x400000 + (salt >>> 10);
}

const EPOCH_START_SEC = 1577836800;
