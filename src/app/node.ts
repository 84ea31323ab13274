/**
 * A worker's part in a cluster: its node, and whether that has read as much as the others. Used by app.ts;
 * what a node does is in src/cluster.
 */
import { ClusterNode } from "../cluster/node.ts";
import type { ClusterConfig } from "../config/model/cluster.ts";
import type { Config } from "../config/model.ts";
import type { NodePresence } from "../presence/nodes.ts";
import type { Store } from "../store/store.ts";
import type { WorkerOptions } from "./running-worker.ts";

export const clusterNode = (
  { messages: { ttlSec, keyWindowSec } }: Config,
  cluster: ClusterConfig,
  { store, slot }: WorkerOptions,
  published: () => void,
  notes: NodePresence | null,
  version: string,
): ClusterNode | null =>
  ClusterNode.of({
    config: cluster,
    store,
    slot,
    messageTtlSec: ttlSec,
    keyWindowSec,
    published,
    version,
    notes,
  });

/** A node that knows less than the others sends nobody to them: it is not ready. */
export function isCaughtUp({ cluster }: Config, { replica }: Store): boolean {
  if (!cluster || replica === null) return true;
  for (let shard = 0; shard < cluster.shards; shard++) {
    const { isReady, isConnected } = replica.shard(shard);
    if (!isReady || !(isConnected || cluster.readyWhileAway)) return false;
  }
  return true;
}
