/**
 * Where the primary of a shard is just now: as configured, as the Sentinels say, or as the servers of a Redis
 * Cluster say whose slot the shard's keys are in. Asked before each connection (engine-connection.ts), so a
 * failover needs nothing but a connection that ends.
 *
 * ioredis has a Sentinel connector and a Cluster client. Neither is used: a node must know which server
 * (which run id) each command was written to, and decide itself what becomes of a command that was not
 * answered; both hide that.
 */
import type { Redis } from "ioredis";
import type { ClusterConfig, EngineAddress } from "../config/model/cluster.ts";
import { connectTo, type Host, type Purpose } from "./connect.ts";
import type { ShardKeys } from "./keys.ts";

export async function findPrimary(
  config: ClusterConfig,
  engine: EngineAddress,
  keys: ShardKeys,
): Promise<Host> {
  const [first] = engine.hosts;
  if (first === undefined) throw new Error("no address");
  if (engine.kind === "single") return first;
  const purpose: Purpose = engine.kind === "sentinel" ? "sentinel" : "data";
  const ask = engine.kind === "sentinel" ? askSentinel(engine.service) : askCluster(keys.meta);
  let said = "nobody answered";
  for (const host of engine.hosts) {
    let redis: Redis | null = null;
    try {
      redis = await connectTo(config, engine, host, purpose);
      const found = await ask(redis);
      if (found !== null) return found;
      said = `${host.host}:${host.port} does not know it`;
    } catch (error) {
      said = `${host.host}:${host.port}: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      redis?.disconnect();
    }
  }
  const whom = engine.kind === "sentinel" ? `the primary of ${engine.service}` : "the server of the slot";
  throw new Error(`${whom} is not to be found (${said})`);
}

const askSentinel =
  (service: string) =>
  async (redis: Redis): Promise<Host | null> => {
    const found = await redis.call("SENTINEL", "get-master-addr-by-name", service);
    if (!Array.isArray(found)) return null;
    return { host: String(found[0]), port: Number(found[1]) };
  };

const askCluster =
  (key: string) =>
  async (redis: Redis): Promise<Host | null> => {
    const slot = Number(await redis.call("CLUSTER", "KEYSLOT", key));
    const ranges = await redis.call("CLUSTER", "SLOTS");
    if (!Array.isArray(ranges)) return null;
    for (const range of ranges as readonly unknown[]) {
      if (!Array.isArray(range)) continue;
      const [from, to, primary] = range as readonly unknown[];
      if (slot < Number(from) || slot > Number(to) || !Array.isArray(primary)) continue;
      return { host: String(primary[0]), port: Number(primary[1]) };
    }
    return null;
  };
