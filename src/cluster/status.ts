/**
 * What the engine knows of a cluster: its nodes by their last words in the log. For `sluice cluster status`,
 * which needs no node for it.
 */
import type { Redis } from "ioredis";
import type { ClusterConfig } from "../config/model/cluster.ts";
import { connectTo } from "./connect.ts";
import { findPrimary } from "./discovery.ts";
import { readEntry } from "./entry.ts";
import { piecesOf, type RawEntry } from "./entry-pieces.ts";
import { readHeartbeat } from "./heartbeat.ts";
import { ShardKeys } from "./keys.ts";
import { engineOf } from "./node.ts";

export interface NodeStatus {
  readonly node: string;
  readonly version: string;
  readonly subscribers: number;
  readonly connections: number;
  readonly workers: number;
  /** Entries that it had not read when it spoke. */
  readonly lag: number;
  /** Seconds since it spoke. */
  readonly heardSec: number;
}

export interface ClusterStatus {
  readonly epoch: number;
  readonly term: number;
  readonly entries: number;
  readonly messages: number;
  readonly nodes: readonly NodeStatus[];
}

const SILENT_SEC = 12;
const LOOKED_AT = 5000;

/** Of the first shard, in which every node speaks. Rejects when the engine cannot be reached. */
export async function clusterStatus(config: ClusterConfig): Promise<ClusterStatus> {
  const engine = engineOf(config, 0);
  const keys = new ShardKeys(config.name, 0);
  let redis: Redis | null = null;
  try {
    redis = await connectTo(config, engine, await findPrimary(config, engine, keys), "data");
    const found = (await redis.call("HMGET", keys.meta, "epoch", "term", "total")) as (string | null)[];
    const [epoch, term, messages] = found.map((value) => Number(value ?? 0));
    const entries = Number(await redis.call("XLEN", keys.log));
    return {
      epoch: epoch ?? 0,
      term: term ?? 0,
      messages: messages ?? 0,
      entries,
      nodes: await nodesOf(redis, keys),
    };
  } finally {
    redis?.disconnect();
  }
}

/** From the newest entry back, a few seconds of the engine's own time. */
async function nodesOf(redis: Redis, { log }: ShardKeys): Promise<NodeStatus[]> {
  const nodes = new Map<string, NodeStatus>();
  const gone = new Set<string>();
  const [nowText] = (await redis.call("TIME")) as string[];
  const nowSec = Number(nowText);
  for (let end = "+"; ; ) {
    const raw = (await redis.callBuffer(
      "XREVRANGE",
      log,
      end,
      "-",
      "COUNT",
      String(LOOKED_AT),
    )) as RawEntry[];
    for (const each of raw) {
      const entry = readEntry(0, piecesOf(each));
      if (entry === null) continue;
      const { sec } = entry.place;
      if (nowSec - sec > SILENT_SEC) return [...nodes.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
      if (entry.kind === "gone") gone.add(entry.node);
      if (entry.kind !== "heartbeat" || nodes.has(entry.who) || gone.has(entry.who)) continue;
      const said = readHeartbeat(entry.said);
      if (said === null) continue;
      const { version, subscribers, connections, workers, lag } = said;
      nodes.set(entry.who, {
        node: entry.who,
        version,
        subscribers,
        connections,
        workers,
        lag,
        heardSec: nowSec - sec,
      });
    }
    const last = raw.at(-1);
    if (last === undefined || raw.length < LOOKED_AT)
      return [...nodes.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
    end = `(${last[0].toString()}`;
  }
}
