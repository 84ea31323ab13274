/**
 * The place in the order as publish/ asks for it: hands messages to the publisher of their shard and answers when they were taken and are in
 * this node's store, so that whoever was answered finds them on this node at once. Made by node.ts, one a worker.
 */
import type { ClusterConfig } from "../config/model.ts";
import { type Refusal, Refusals } from "../errors.ts";
import type { ReplicaStore, RevokedMark } from "../store/replica-store.ts";
import { type ShardKeys, shardOf } from "./keys.ts";
import { MOST_NOTE_BYTES } from "./notes.ts";
import type { Publisher } from "./publisher.ts";
import type { Accepted, Answer } from "./request.ts";

/** What publish/ hands in; it does not know this folder, nor this folder it. */
interface Named {
  readonly name: Uint8Array;
}
interface Content {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  readonly stored: boolean;
}

export interface ShardWriter {
  readonly keys: ShardKeys;
  readonly publisher: Publisher;
}

interface Waiting {
  readonly shard: number;
  readonly accepted: Accepted;
  readonly untilMs: number;
  readonly resolve: (value: null) => void;
}

/** It was taken: whoever waits longer than this for the own reader is answered all the same. */
const OWN_READER_MS = 1000;
const LOOK_MS = 1;
const NOTHING = new Uint8Array(0);

export class ClusterOrder {
  readonly #config: ClusterConfig;
  readonly #writers: readonly ShardWriter[];
  readonly #replica: ReplicaStore;
  readonly #retention: string;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #took: (ms: number) => void;

  /** `took`: how long each message that was taken took. */
  constructor(
    config: ClusterConfig,
    writers: readonly ShardWriter[],
    replica: ReplicaStore,
    retentionMs: number,
    took: (ms: number) => void,
  ) {
    this.#config = config;
    this.#writers = writers;
    this.#replica = replica;
    this.#retention = String(retentionMs);
    this.#took = took;
  }

  append(targets: readonly Named[], { data, eventId, eventType, stored }: Content): Promise<Refusal | null> {
    const flags = `${stored ? "s" : "-"}${eventId === null ? "" : "i"}${eventType === null ? "" : "t"}`;
    const head = [this.#retention, flags, data, eventId ?? NOTHING, eventType ?? NOTHING];
    return this.#each(
      targets.map(({ name }) => name),
      "m",
      head,
    );
  }

  remove(names: readonly Uint8Array[], text: Uint8Array): Promise<Refusal | null> {
    return this.#each(names, "d", [text]);
  }

  /** What was taken back on this node counts on all; by way of the first shard. */
  async revoke({ low, high, issuedBeforeSec, untilSec }: RevokedMark): Promise<Refusal | null> {
    const [writer] = this.#writers;
    if (writer === undefined) return Refusals.internal;
    const rest = [low, high, issuedBeforeSec, untilSec].map(String);
    const counters = [Buffer.from(writer.keys.revoked)];
    const answer = await writer.publisher.append({ kind: "r", counters, rest });
    return answer.kind === "accepted" ? null : refusalOf(answer);
  }

  /** Nobody waits for it to be in the store: whoever listens hears it from the log (notes.ts). */
  async note(node: string, life: string, channel: Uint8Array, said: Uint8Array): Promise<Refusal | null> {
    const writer = this.#writers[shardOf(channel, this.#config.shards)];
    if (writer === undefined) return Refusals.internal;
    if (said.length > MOST_NOTE_BYTES) return Refusals.noRoom;
    const answer = await writer.publisher.append({
      kind: "p",
      counters: [],
      rest: [node, life, channel, said],
    });
    return answer.kind === "accepted" ? null : refusalOf(answer);
  }

  /** One call a shard, in the order of the names; of several shards each answers for itself. */
  async #each(
    names: readonly Uint8Array[],
    kind: "m" | "d",
    head: readonly (string | Uint8Array)[],
  ): Promise<Refusal | null> {
    const [only] = names;
    if (only !== undefined && names.length === 1)
      return this.#call(shardOf(only, this.#config.shards), names, kind, head);
    const byShard = new Map<number, Uint8Array[]>();
    for (const name of names) {
      const shard = shardOf(name, this.#config.shards);
      const some = byShard.get(shard);
      if (some === undefined) byShard.set(shard, [name]);
      else some.push(name);
    }
    const outcomes = await Promise.all(
      [...byShard].map(([shard, some]) => this.#call(shard, some, kind, head)),
    );
    return outcomes.find((outcome) => outcome !== null) ?? null;
  }

  async #call(
    shard: number,
    names: readonly Uint8Array[],
    kind: "m" | "d",
    head: readonly (string | Uint8Array)[],
  ): Promise<Refusal | null> {
    const writer = this.#writers[shard];
    if (writer === undefined) return Refusals.internal;
    const beganMs = performance.now();
    const counters = names.map((name) => writer.keys.counter(name));
    const answer = await writer.publisher.append({ kind, counters, rest: [...head, ...names] });
    if (answer.kind !== "accepted") return refusalOf(answer);
    this.#took(performance.now() - beganMs);
    if (this.#replica.hasReached(shard, answer.term, answer.n)) return null;
    return await this.#inStore(shard, answer);
  }

  #inStore(shard: number, accepted: Accepted): Promise<null> {
    this.#replica.setAwaited(shard, Date.now());
    return new Promise((resolve) => {
      this.#waiting.push({ shard, accepted, untilMs: performance.now() + OWN_READER_MS, resolve });
      this.#timer ??= setTimeout(() => this.#timed(), LOOK_MS);
    });
  }

  #timed(): void {
    this.#timer = null;
    this.look();
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#timed(), LOOK_MS);
  }

  /** Something was applied, here or in another worker. */
  look(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = performance.now();
    const left: Waiting[] = [];
    for (const each of this.#waiting) {
      const { shard, accepted, untilMs, resolve } = each;
      if (nowMs > untilMs || this.#replica.hasReached(shard, accepted.term, accepted.n)) resolve(null);
      else left.push(each);
    }
    this.#waiting = left;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { resolve } of this.#waiting.splice(0)) resolve(null);
  }
}

function refusalOf({ kind }: Exclude<Answer, Accepted>): Refusal {
  switch (kind) {
    case "away":
      return Refusals.engineAway;
    case "full":
      return Refusals.engineFull;
    case "refused":
      return Refusals.engineRefused;
    default:
      return Refusals.outcomeUnknown;
  }
}
