/**
 * The place in the order as publish/ asks for it: hands messages to the publisher of their shard and answers
 * when they were taken and are in this node's store, so that whoever was answered finds them on this node at
 * once. Made by node.ts, one a worker.
 */
import type { ClusterConfig } from "../config/model/cluster.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Marks } from "../message.ts";
import { KEY_REUSED, type KeyMark } from "../store/message/keys.ts";
import type { ReplicaStore, RevokedMark } from "../store/replica/replica-store.ts";
import { type ShardKeys, shardOf } from "./keys.ts";
import { MOST_NOTE_BYTES } from "./notes.ts";
import type { Publisher } from "./publisher.ts";
import type { Accepted, Answer } from "./request.ts";

/** What publish/ hands in; it does not know this folder, nor this folder it. */
interface Named {
  readonly name: Uint8Array;
}
interface Target extends Named {
  /** Position of its message. */
  lastId: number;
}
interface Content {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  readonly stored: boolean;
  /** Of the events channel, which is in no total. */
  readonly isEvent?: boolean;
  readonly marks?: Marks | null;
}

/**
 * A message in one of its channels that wants to know more (publish/put.ts): with an idempotency key, of a
 * batch, or of a publisher who asks for the position. `put` says what became of it: `refusal`, or its
 * position, which with `isDuplicate` is that of the message that the key came with before; `outcome`
 * KEY_REUSED where that was another message.
 */
export interface Put extends Named, Content {
  readonly key: KeyMark | null;
  outcome: number;
  position: number;
  isDuplicate: boolean;
  refusal: Refusal | null;
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

export class ClusterOrder {
  readonly #config: ClusterConfig;
  readonly #writers: readonly ShardWriter[];
  readonly #replica: ReplicaStore;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #took: (ms: number) => void;

  /** `took`: how long each message that was taken took. */
  constructor(
    config: ClusterConfig,
    writers: readonly ShardWriter[],
    replica: ReplicaStore,
    took: (ms: number) => void,
  ) {
    this.#config = config;
    this.#writers = writers;
    this.#replica = replica;
    this.#took = took;
  }

  append(targets: readonly Target[], content: Content): Promise<Refusal | null> {
    const [only, second] = targets;
    if (only !== undefined && second === undefined) return this.#append(only, content).then(refusalOf);
    // Of one turn, so they are one call a shard; of several shards each answers for itself.
    return Promise.all(targets.map((target) => this.#append(target, content))).then(firstRefusal);
  }

  async #append(target: Target, content: Content): Promise<Answer> {
    const answer = await this.#message(target.name, content, null);
    if (answer.kind === "accepted") target.lastId = answer.position;
    return answer;
  }

  /** All of them are on their way when this returns, in their order, up to 64 a call of the engine. */
  async put(messages: readonly Put[]): Promise<void> {
    await Promise.all(messages.map((message) => this.#put(message)));
  }

  async #put(message: Put): Promise<void> {
    const answer = await this.#message(message.name, message, message.key);
    if (answer.kind === "accepted") {
      message.outcome = message.position = answer.position;
      message.isDuplicate = answer.isDuplicate;
    } else if (answer.kind === "conflict") message.outcome = KEY_REUSED;
    else message.refusal = refusalOf(answer);
  }

  /** Answered when it is in this node's store as well. */
  async #message(name: Uint8Array, content: Content, mark: KeyMark | null): Promise<Answer> {
    const shard = shardOf(name, this.#config.shards);
    const writer = this.#writers[shard];
    if (writer === undefined) return AWAY;
    const { data, eventId, eventType } = content;
    const keyed = mark === null ? null : { key: writer.keys.keyed(mark.digest), body: bodyOf(mark) };
    const beganMs = performance.now();
    const flags = flagsOf(content);
    const call = { kind: "m", name, flags, data, eventId, eventType, keyed } as const;
    const answer = await writer.publisher.append(call);
    if (answer.kind !== "accepted") return answer;
    this.#took(performance.now() - beganMs);
    if (!this.#replica.hasReached(shard, answer.term, answer.n)) await this.#inStore(shard, answer);
    return answer;
  }

  /** One call a shard, in the order of the names; of several shards each answers for itself. */
  async remove(names: readonly Uint8Array[], text: Uint8Array): Promise<Refusal | null> {
    const byShard = Map.groupBy(names, (name) => shardOf(name, this.#config.shards));
    const removed = [...byShard].map(([shard, some]) => this.#remove(shard, some, text));
    return firstRefusal(await Promise.all(removed));
  }

  async #remove(shard: number, names: readonly Uint8Array[], text: Uint8Array): Promise<Answer> {
    const writer = this.#writers[shard];
    if (writer === undefined) return AWAY;
    const counters = names.map((name) => writer.keys.counter(name));
    const answer = await writer.publisher.append({ kind: "d", counters, rest: [text, ...names] });
    if (answer.kind === "accepted" && !this.#replica.hasReached(shard, answer.term, answer.n))
      await this.#inStore(shard, answer);
    return answer;
  }

  /** What was taken back on this node counts on all; by way of the first shard. */
  async revoke({ low, high, issuedBeforeSec, untilSec }: RevokedMark): Promise<Refusal | null> {
    const [writer] = this.#writers;
    if (writer === undefined) return Refusals.internal;
    const rest = [low, high, issuedBeforeSec, untilSec].map(String);
    const counters = [Buffer.from(writer.keys.revoked)];
    const answer = await writer.publisher.append({ kind: "r", counters, rest });
    return refusalOf(answer);
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
    return refusalOf(answer);
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

const AWAY: Answer = { kind: "away" };
const flagsOf = ({ stored, eventId, eventType, isEvent, marks }: Content): string =>
  (stored ? "s" : "-") +
  (eventId === null ? "" : "i") +
  (eventType === null ? "" : "t") +
  (isEvent ? "e" : "") +
  (marks ? marksText(marks) : "");
/** Capitals: no letter in there is a flag, of this version or one before it. */
const marksText = ({ by, isUntold, trace }: Marks): string =>
  `${isUntold ? "u" : ""}${trace === null ? "" : `^${textOf(trace)}`}${by.length > 0 ? `~${hexOf(by)}` : ""}`;
const textOf = (trace: Uint8Array): string => Buffer.from(trace).toString("latin1").toUpperCase();
const hexOf = (by: Uint8Array): string => Buffer.from(by).toString("hex").toUpperCase();
const bodyOf = ({ bodyHigh, bodyLow }: KeyMark): string => `${bodyHigh}.${bodyLow}`;

const firstRefusal = (answers: readonly Answer[]): Refusal | null =>
  answers.map(refusalOf).find((refusal) => refusal !== null) ?? null;

function refusalOf({ kind }: Answer): Refusal | null {
  switch (kind) {
    case "accepted":
      return null;
    case "away":
      return Refusals.engineAway;
    case "full":
      return Refusals.engineFull;
    case "refused":
      return Refusals.engineRefused;
    case "unreplicated":
      return Refusals.notReplicated;
    default:
      return Refusals.outcomeUnknown;
  }
}
