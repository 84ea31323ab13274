/**
 * The cluster's epoch, for main at a start. A node that was in the cluster before need not wait for the
 * engine; a new one has to.
 */
import type { ClusterConfig } from "../config/model/cluster.ts";
import { log } from "../log.ts";
import { askEngine } from "./start.ts";

const PAUSE_MS = 500;

/**
 * `joined`: of the messages in this node's store, 0 = none. null: stopped meanwhile. Throws when no waiting
 * helps.
 */
export async function clusterEpoch(
  config: ClusterConfig,
  joined: number,
  isStopping: () => boolean,
): Promise<number | null> {
  for (let tries = 0; !isStopping(); tries++) {
    const outcome = await askEngine(config, joined);
    if (outcome.kind === "ready") return outcome.epoch;
    if (outcome.kind === "unfit") throw new Error(outcome.sentence);
    if (joined > 0) {
      log("warn", `${outcome.sentence} Serves what is here until it is back.`);
      return joined;
    }
    if (tries === 0)
      log("warn", `${outcome.sentence} Waits for it, because this node has never been in the cluster.`);
    await Bun.sleep(PAUSE_MS);
  }
  return null;
}
