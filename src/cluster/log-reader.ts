/**
 * Reads the log of one shard into this node's store: one blocking XREAD after the other, from the store's own cursor. Runs in the worker that
 * has the lease (node.ts). Nothing of it is kept in memory: who takes it over goes on at the cursor.
 *
 * Not pub/sub: that loses what a paused reader did not take, in silence. A stream gives everything, once and in order.
 */
import type { ClusterConfig, EngineAddress } from "../config/model.ts";
import { log } from "../log.ts";
import { BUSY } from "../store/outcome.ts";
import type { LogPlace, ReplicaStore } from "../store/replica-store.ts";
import { EngineLink, type Session } from "./engine-link.ts";
import { type Entry, type RawEntry, readEntry } from "./entry.ts";
import { Fork } from "./fork.ts";
import { type ShardKeys, shardOf } from "./keys.ts";

/** Entries a read: some 3 ms of the worker, and a quarter of a megabyte of small messages. */
const ENTRIES_A_READ = 1000;
/** How long the engine waits for something to come; an answer comes in any case, or the engine is gone. */
const BLOCK_MS = 1000;
const BUSY_MS = 5;

export interface ReaderOptions {
  readonly config: ClusterConfig;
  readonly engine: EngineAddress;
  readonly keys: ShardKeys;
  readonly shard: number;
  readonly replica: ReplicaStore;
  /** Messages or deletions have come into the store's ring. */
  readonly published: () => void;
  /** What other nodes say of themselves. */
  readonly heard: (entry: Extract<Entry, { kind: "heartbeat" | "gone" }>) => void;
}

export class LogReader {
  readonly #options: ReaderOptions;
  readonly #link: EngineLink;
  readonly #fork: Fork;
  #isStopped = false;
  #isTold = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    const { config, engine, keys, replica, shard } = options;
    const isOfShard = (name: Uint8Array): boolean => shardOf(name, config.shards) === shard;
    this.#fork = new Fork({ replica, keys, isOfShard });
    this.#link = new EngineLink(config, engine, keys, {
      up: (session) => this.#up(session),
      down: () => this.#down("the connection ended"),
      failed: (cause) => this.#down(cause),
    });
    this.#link.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#link.stop();
    this.#options.replica.setConnected(this.#options.shard, false);
  }

  #up(session: Session): void {
    const { replica, shard } = this.#options;
    replica.setConnected(shard, true);
    log("info", this.#isTold ? "the engine is back" : "reads the log", { engine: session.at, shard });
    this.#isTold = false;
    this.#read(session).catch((error: unknown) => {
      if (this.#link.session !== session) return;
      log("warn", "the log could not be read", {
        error: error instanceof Error ? error.message : String(error),
      });
      this.#link.giveUp();
    });
  }

  /** One line for each time it goes away. */
  #down(cause: string): void {
    const { replica, shard } = this.#options;
    replica.setConnected(shard, false);
    if (!this.#isTold && !this.#isStopped) log("warn", "the engine is away", { shard, cause });
    this.#isTold = true;
  }

  async #read(session: Session): Promise<void> {
    const { replica, shard, keys } = this.#options;
    while (!this.#isStopped && this.#link.session === session) {
      const { term, n } = replica.cursor(shard);
      const raw = await this.#next(session, `${term}-${n}`);
      if (this.#isStopped || this.#link.session !== session) return;
      await this.#apply(session, raw);
      if (raw.length === ENTRIES_A_READ) continue;
      await this.#fork.caughtUp(session.redis, this.#options.published);
      replica.setSeen(shard, replica.cursor(shard).n);
      replica.setReady(shard, true);
    }
    void keys;
  }

  /** What comes after the cursor; nothing when nothing came for a while. Rejects when there is no answer at all. */
  async #next({ redis }: Session, after: string): Promise<readonly RawEntry[]> {
    const { keys, config } = this.#options;
    const limit = BLOCK_MS + config.engineTimeoutMs;
    const timer = setTimeout(() => this.#link.giveUp(), limit);
    try {
      const reply = await redis.callBuffer(
        "XREAD",
        "COUNT",
        String(ENTRIES_A_READ),
        "BLOCK",
        String(BLOCK_MS),
        "STREAMS",
        keys.log,
        after,
      );
      if (!Array.isArray(reply)) return [];
      const [stream] = reply as readonly (readonly [Buffer, readonly RawEntry[]])[];
      return stream?.[1] ?? [];
    } finally {
      clearTimeout(timer);
    }
  }

  async #apply({ redis }: Session, raw: readonly RawEntry[]): Promise<void> {
    const { replica, shard, published } = this.#options;
    let isRung = false;
    for (const each of raw) {
      const entry = readEntry(shard, each);
      if (entry === null) {
        this.#skip(each);
        continue;
      }
      const place = entry.kind === "message" ? entry.message : entry.place;
      if (replica.hasReached(shard, place.term, place.n)) continue;
      if (entry.kind === "incarnation") await this.#fork.meet(redis, entry);
      else this.#fork.follow(place);
      while (!this.#applied(entry, place)) await Bun.sleep(BUSY_MS);
      if (this.#isStopped) return;
      isRung = true;
    }
    if (isRung) published();
  }

  /** False: the store is busy, do it again. */
  #applied(entry: Entry, place: LogPlace): boolean {
    const { replica, heard } = this.#options;
    const nowMs = Date.now();
    switch (entry.kind) {
      case "message":
        return replica.applyMessage(entry.message, nowMs) !== BUSY;
      case "deletion":
        return replica.applyDeletion(place, entry.channel, entry.text, nowMs);
      case "heartbeat":
      case "gone":
        heard(entry);
        return replica.moveOn(place, nowMs);
      default:
        return replica.moveOn(place, nowMs);
    }
  }

  #isSkipTold = false;
  /** Of a version to come, or not of sluice at all: the cursor goes over it with the next one that can be read. */
  #skip([id]: RawEntry): void {
    if (!this.#isSkipTold)
      log("error", "the log has an entry that this version cannot read", { id: id.toString() });
    this.#isSkipTold = true;
  }
}
