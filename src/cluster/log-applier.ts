/**
 * Applies what was read of the log to this node's store: messages, deletions, what other nodes say, and what
 * an incarnation means (fork.ts). Used by log-reader.ts.
 */
import type { ClusterConfig } from "../config/model/cluster.ts";
import { log } from "../log.ts";
import { BUSY } from "../store/outcome.ts";
import type { LogPlace, ReplicaStore } from "../store/replica/replica-store.ts";
import type { Calls } from "./engine-connection.ts";
import type { Entries } from "./entries.ts";
import { type Entry, readEntry, readMessage, readPlace } from "./entry.ts";
import type { EntryPieces } from "./entry-pieces.ts";
import { Fork } from "./fork.ts";
import { type ShardKeys, shardOf } from "./keys.ts";
import { LoggedMessage } from "./logged-message.ts";
import type { Note } from "./notes.ts";
import { Rejoin } from "./rejoin.ts";

const BUSY_MS = 5;

export interface ApplierOptions {
  readonly config: ClusterConfig;
  readonly keys: ShardKeys;
  readonly shard: number;
  readonly replica: ReplicaStore;
  /** Messages or deletions have come into the store's ring. */
  readonly published: () => void;
  /** What other nodes say of themselves. */
  readonly heard: (entry: Extract<Entry, { kind: "heartbeat" | "gone" }>) => void;
  /**
   * An incarnation of the engine was met, which may have lost something, or entries were trimmed away unread:
   * what nodes say of themselves has to be said again.
   */
  readonly begunAnew: () => void;
  /** False: the store is busy, it is to be told again. */
  readonly noted: (note: Note) => boolean;
}

export class LogApplier {
  readonly #options: ApplierOptions;
  readonly #fork: Fork;
  readonly #rejoin: Rejoin;
  readonly #message = new LoggedMessage();
  #isStopped = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
    const { config, keys, replica, shard, begunAnew: broken } = options;
    const isOfShard = (name: Uint8Array): boolean => shardOf(name, config.shards) === shard;
    this.#rejoin = new Rejoin({ replica, keys, shard, isOfShard });
    this.#fork = new Fork({ replica, shard, keys, isOfShard, rejoin: this.#rejoin, broken });
  }

  /** Another may go on from here. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Everything that there is was read and applied. */
  caughtUp(redis: Calls): Promise<void> {
    return this.#fork.caughtUp(redis, this.#options.published);
  }

  /**
   * Whether the engine is still that of the cluster this node has read; else it goes on with what is there.
   */
  async lookAtEpoch(redis: Calls): Promise<void> {
    if (await this.#fork.isAnother(await this.#rejoin.ask(redis))) this.#options.published();
  }

  /** In their order; those that were applied before are passed over. */
  async apply(redis: Calls, entries: Entries): Promise<void> {
    const { replica, shard, published } = this.#options;
    const message = this.#message;
    let isRung = false;
    let nowMs = Date.now();
    while (!this.#isStopped && entries.next()) {
      if (!readMessage(shard, entries.pieces, message)) {
        isRung = (await this.#applyOther(redis, entries.pieces)) || isRung;
        nowMs = Date.now();
        continue;
      }
      if (replica.hasReached(shard, message.term, message.n)) continue;
      this.#fork.follow(message);
      while (replica.applyMessage(message, nowMs) === BUSY) {
        await Bun.sleep(BUSY_MS);
        nowMs = Date.now();
      }
      isRung = true;
    }
    if (isRung) published();
  }

  /** True: it was applied. */
  async #applyOther(redis: Calls, pieces: EntryPieces): Promise<boolean> {
    const { replica, shard, begunAnew } = this.#options;
    const entry = readEntry(shard, pieces);
    if (entry === null) {
      await this.#passOver(pieces);
      return false;
    }
    const { place } = entry;
    if (replica.hasReached(shard, place.term, place.n)) return false;
    if (entry.kind === "incarnation") {
      await this.#fork.meet(redis, entry);
      begunAnew();
    } else this.#fork.follow(place);
    while (!this.#applied(entry, place)) await Bun.sleep(BUSY_MS);
    return true;
  }

  /** False: the store is busy, do it again. */
  #applied(entry: Entry, place: LogPlace): boolean {
    const { replica, heard, noted } = this.#options;
    const nowMs = Date.now();
    switch (entry.kind) {
      case "deletion":
        return replica.applyDeletion(place, entry.channel, entry.text, nowMs);
      case "revocation":
        return replica.revoke(entry.mark, Math.floor(nowMs / 1000)) && replica.moveOn(place, nowMs);
      case "note":
        return noted(entry.note) && replica.moveOn(place, nowMs);
      case "heartbeat":
      case "gone":
        heard(entry);
        return replica.moveOn(place, nowMs);
      default:
        return replica.moveOn(place, nowMs);
    }
  }

  #isStrangeTold = false;
  /** Of a version to come, or not of sluice at all. */
  async #passOver(pieces: EntryPieces): Promise<void> {
    const { replica, shard } = this.#options;
    const place = readPlace(pieces);
    if (!this.#isStrangeTold)
      log("error", "another version of sluice writes to the log: what this one cannot read is passed over", {
        entry: pieces.id,
      });
    this.#isStrangeTold = true;
    if (place === null || replica.hasReached(shard, place.term, place.n)) return;
    this.#fork.passOver({ shard, ...place });
    while (!replica.passOver(shard, place.term, place.n)) await Bun.sleep(BUSY_MS);
  }
}
