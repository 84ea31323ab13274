/**
 * A clustered node without a process of its own: a real store and what a worker has of cluster/, over a real
 * engine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardKeys } from "../../src/cluster/keys.ts";
import { ClusterNode } from "../../src/cluster/node.ts";
import type { NoteListener } from "../../src/cluster/notes.ts";
import { Publisher } from "../../src/cluster/publisher.ts";
import { askEngine } from "../../src/cluster/start.ts";
import type { ClusterConfig } from "../../src/config/model/cluster.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { POLICY } from "../store/fixture.ts";

export const clusterConfig = (
  port: number,
  node: string,
  more: Partial<ClusterConfig> = {},
): ClusterConfig => ({
  engines: [{ kind: "single", tls: false, hosts: [{ host: "127.0.0.1", port }], service: "" }],
  name: "main",
  node,
  shards: 1,
  user: null,
  password: null,
  sentinelPassword: null,
  tlsCa: null,
  tlsCertificate: null,
  tlsKey: null,
  logBytes: 64 * 1024 * 1024,
  ack: "primary",
  engineTimeoutMs: 1000,
  readyWhileAway: true,
  ...more,
});

export class LocalNode {
  readonly store: Store;
  readonly node: ClusterNode;
  readonly #config: ClusterConfig;
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-local-node-"));

  private constructor(config: ClusterConfig, epoch: number, notes: NoteListener | null) {
    this.#config = config;
    const shape = { size: 1024 * 1024, blockSize: 256, channels: 64, ringSize: 1024, workerSlots: 2 };
    const path = join(this.#folder, "store");
    const first = openStore({ ...shape, path, clustered: true }, POLICY);
    first.store.replica?.join(epoch);
    first.store.close();
    this.store = openStore({ ...shape, path, clustered: true }, POLICY).store;
    const slot = this.store.workers.claimSlot(process.pid, 1);
    const common = { config, store: this.store, slot, messageTtlSec: 60, keyWindowSec: 300, version: "test" };
    const node = ClusterNode.of({ ...common, published: () => undefined, notes });
    if (node === null) throw new Error("the store is none of a cluster");
    this.node = node;
  }

  static async start(config: ClusterConfig, notes: NoteListener | null = null): Promise<LocalNode> {
    const asked = await askEngine(config, 0);
    if (asked.kind !== "ready") throw new Error(asked.sentence);
    return new LocalNode(config, asked.epoch, notes);
  }

  /** One more that writes to the log. */
  publisher(): Publisher {
    const { replica } = this.store;
    const [engine] = this.#config.engines;
    if (replica === null || engine === undefined) throw new Error("it is none of a cluster");
    return new Publisher({
      config: this.#config,
      engine,
      keys: new ShardKeys(this.#config.name, 0),
      shard: 0,
      replica,
      epoch: () => this.store.epoch,
      who: "test:0",
      kept: ["3600000", "300"],
    });
  }

  stop(): void {
    this.node.stop();
    this.store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
