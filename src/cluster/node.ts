/**
 * One worker's part in a clustered node: it writes to the log for its own publishers, and one worker of all
 * reads it for the node. Made by app.ts where there is a `[cluster]`.
 */
import { hostname } from "node:os";
import type { ClusterConfig } from "../config/model/cluster.ts";
import type { Refusal } from "../http/refusal.ts";
import { Counter, ENGINE_LATENCIES } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { EventsForwarder } from "./events-forwarder.ts";
import { NodeHeartbeat } from "./heartbeat.ts";
import { ShardKeys } from "./keys.ts";
import { LogReader } from "./log-reader.ts";
import type { NoteListener } from "./notes.ts";
import { ClusterOrder, type ShardWriter } from "./order.ts";
import { Publisher } from "./publisher.ts";

export interface ClusterNodeOptions {
  readonly config: ClusterConfig;
  readonly store: Store;
  readonly slot: number;
  readonly messageTtlSec: number;
  /** How long idempotency keys are remembered. */
  readonly keyWindowSec: number;
  /** Messages have come into the store. */
  readonly published: () => void;
  readonly version: string;
  /** Who hears what another part of a node says to the same part of all (notes.ts); null: nobody. */
  readonly notes: NoteListener | null;
}

/** How often a worker looks whether nobody reads. */
const LEASE_MS = 200;
const LEAST_RETENTION_MS = 3_600_000;
const LONGEST_RETENTION_MS = 30 * 24 * 3_600_000;

/** Of this node: as long as its main process, like its connections. */
export const lifeOf = ({ startedSec }: Pick<Store, "startedSec">): string =>
  `${hostname()}.${process.ppid}.${startedSec}`;

export class ClusterNode {
  readonly order: ClusterOrder;
  readonly #options: ClusterNodeOptions;
  readonly #writers: readonly ShardWriter[];
  /** Of this run of the node: the same in all its workers. */
  readonly #life: string;
  readonly #retentionMs: number;
  #readers: LogReader[] = [];
  #heartbeats: NodeHeartbeat[] = [];
  #events: EventsForwarder | null = null;
  readonly #timer: ReturnType<typeof setInterval>;

  /** null: the store is none of a cluster, which main sees to. */
  static of(options: ClusterNodeOptions): ClusterNode | null {
    return options.store.replica === null ? null : new ClusterNode(options);
  }

  private constructor(options: ClusterNodeOptions) {
    this.#options = options;
    const { config, store, slot, messageTtlSec, keyWindowSec } = options;
    const replica = replicaOf(store);
    const ttlMs = messageTtlSec === 0 ? LONGEST_RETENTION_MS : messageTtlSec * 1000;
    this.#retentionMs = Math.max(ttlMs, LEAST_RETENTION_MS);
    this.#life = lifeOf(store);
    const who = `${config.node}:${crypto.randomUUID().slice(0, 8)}`;
    this.#writers = Array.from({ length: config.shards }, (_, shard) => {
      const keys = new ShardKeys(config.name, shard);
      const publisher = new Publisher({
        config,
        engine: engineOf(config, shard),
        keys,
        shard,
        replica,
        epoch: () => store.epoch,
        who,
        kept: [String(this.#retentionMs), String(keyWindowSec)],
      });
      return { keys, publisher };
    });
    this.order = new ClusterOrder(config, this.#writers, replica, (ms) => {
      store.counters.add(slot, Counter.ENGINE_PUBLISHES, 1);
      store.counters.add(slot, Counter.ENGINE_PUBLISH_US, Math.round(ms * 1000));
      for (const [limitMs, counter] of ENGINE_LATENCIES)
        if (ms <= limitMs) store.counters.add(slot, counter, 1);
    });
    this.#timer = setInterval(() => this.#lookAtLease(), LEASE_MS);
    this.#lookAtLease();
  }

  /** Says it to all nodes, this one included (notes.ts); null: it was taken, and is heard in a moment. */
  note(channel: Uint8Array, said: Uint8Array): Promise<Refusal | null> {
    return this.order.note(this.#options.config.node, this.#life, channel, said);
  }

  /** This worker leaves: another one of the node reads on. */
  leave(): void {
    clearInterval(this.#timer);
    for (const reader of this.#readers) reader.stop();
    for (const heartbeat of this.#heartbeats) heartbeat.stop();
    this.#events?.stop();
    this.#readers = [];
    this.#heartbeats = [];
    this.#events = null;
    replicaOf(this.#options.store).endLease(this.#options.slot);
  }

  stop(): void {
    this.leave();
    this.order.stop();
    for (const { publisher } of this.#writers) publisher.stop();
  }

  #lookAtLease(): void {
    const { store, slot } = this.#options;
    if (this.#readers.length > 0 || !replicaOf(store).takeLease(slot)) return;
    const { config, published, version, notes } = this.#options;
    const life = this.#life;
    if (store.eventsChannel >= 0)
      this.#events = new EventsForwarder({ store, order: this.order, node: config.node, life });
    this.#writers.forEach(({ keys, publisher }, shard) => {
      const heartbeat = new NodeHeartbeat({
        config,
        shard,
        store,
        publisher,
        version,
        life,
        notes,
        buried: (name) => void (shard === 0 && this.#events?.tellGone(name)),
        retentionMs: this.#retentionMs,
      });
      this.#heartbeats.push(heartbeat);
      this.#readers.push(
        new LogReader({
          config,
          engine: engineOf(config, shard),
          keys,
          shard,
          replica: replicaOf(store),
          published: () => {
            published();
            this.order.look();
          },
          heard: (entry) => heartbeat.heard(entry),
          begunAnew: () => heartbeat.beginAnew(),
          isHeard: () => isHeard(store),
          revoked: (nowSec) => store.revoked.marks(nowSec),
          giveBack: (mark) => this.order.revoke(mark),
          noted: (note) => notes?.heard(note) ?? true,
        }),
      );
    });
  }
}

function isHeard(store: Store): boolean {
  for (let slot = 0; slot < store.workerSlots; slot++)
    if (store.workers.slotPid(slot) !== 0 && store.counters.get(slot, Counter.SUBSCRIBERS) > 0) return true;
  return false;
}

/** Shards are dealt to the list. */
export function engineOf({ engines }: ClusterConfig, shard: number) {
  const engine = engines[shard % engines.length];
  if (engine === undefined) throw new Error("a cluster has an engine");
  return engine;
}

function replicaOf({ replica }: Store) {
  if (replica === null) throw new Error("the store is no node's of a cluster");
  return replica;
}
