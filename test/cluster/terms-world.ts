/**
 * Terms and forks without processes: the real script in a real engine whose history is set back, wiped and
 * carried over at random; nodes that are real stores and read the log as the server does; subscribers that
 * come back to any node with what they saw last. A step takes well under a millisecond, so thousands of
 * failovers fit into a second.
 *
 * A "server" is a database of one redis-server. A failover copies nothing more and goes on in the replica's
 * database under another run id: what was not copied is lost.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { readId, readMessage } from "../../src/cluster/entry.ts";
import { piecesOf, type RawEntry } from "../../src/cluster/entry-pieces.ts";
import { ShardKeys } from "../../src/cluster/keys.ts";
import { LogApplier } from "../../src/cluster/log-applier.ts";
import { LoggedMessage } from "../../src/cluster/logged-message.ts";
import { APPEND } from "../../src/cluster/script.ts";
import type { ClusterConfig } from "../../src/config/model/cluster.ts";
import { Turns } from "../../src/fanout/turns.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { openStore } from "../../src/store/opening.ts";
import type { ReplicaStore } from "../../src/store/replica/replica-store.ts";
import type { Store } from "../../src/store/store.ts";
import { Backlog } from "../../src/subscribe/backlog.ts";
import { lifeOf } from "../../src/wire/position.ts";
import { POLICY } from "../store/fixture.ts";
import { entriesOf } from "./reply.ts";

const FIRST_EPOCH = 77;
export const CHANNELS = ["red", "green", "blue"].map((name) => Buffer.from(name));
const KEYS = new ShardKeys("model", 0);
const CONFIG: ClusterConfig = {
  engines: [],
  name: "model",
  node: "model",
  shards: 1,
  user: null,
  password: null,
  sentinelPassword: null,
  tlsCa: null,
  tlsCertificate: null,
  tlsKey: null,
  logBytes: 0,
  ack: "primary",
  engineTimeoutMs: 1000,
  readyWhileAway: true,
};

class Node {
  readonly store: Store;
  readonly replica: ReplicaStore;
  readonly backlog: Backlog;
  #applier: LogApplier;

  constructor(path: string) {
    const shape = { path, size: 512 * 1024, blockSize: 256, channels: 64, ringSize: 1024, workerSlots: 2 };
    const policy = { ...POLICY, messageTtlSec: 0, channelInactivitySec: 0 };
    const first = openStore({ ...shape, clustered: true }, policy);
    first.store.replica?.join(FIRST_EPOCH);
    first.store.close();
    this.store = openStore({ ...shape, clustered: true }, policy).store;
    if (this.store.replica === null) throw new Error("not clustered");
    this.replica = this.store.replica;
    this.backlog = new Backlog(this.store, new Turns());
    this.#applier = this.#made();
  }

  #made(): LogApplier {
    const { replica } = this;
    const nothing = () => undefined;
    return new LogApplier({
      config: CONFIG,
      keys: KEYS,
      shard: 0,
      replica,
      published: nothing,
      heard: nothing,
      noted: () => true,
      begunAnew: nothing,
    });
  }

  /** As its reader does, each second. */
  async look(redis: Redis): Promise<void> {
    await this.#applier.lookAtEpoch(redis);
  }

  /** Another worker reads on. */
  renew(): void {
    this.#applier = this.#made();
  }

  /**
   * Some entries once more, as by a reader that begins behind another; `isNaive`: as if nobody looked whether
   * they are here already.
   */
  async reread(redis: Redis, isNaive: boolean): Promise<void> {
    const raw = (await redis.callBuffer("XREVRANGE", KEYS.log, "+", "-", "COUNT", "6")) as RawEntry[];
    const { term, n } = this.replica.cursor(0);
    const known = raw.reverse().filter(([id]) => this.replica.hasReached(0, ...idOf(id)));
    if (!isNaive) return await this.#applier.apply(redis, entriesOf(known));
    for (const each of known) {
      const message = new LoggedMessage();
      if (!readMessage(0, piecesOf(each), message)) continue;
      const index = this.store.find(message.channel, ref);
      if (index < 0) continue;
      const position = this.store.publishedCount(index) + 1;
      this.replica.applyMessage({ ...message, term, n: n + 1, position }, Date.now());
    }
  }

  /** True: there was something. */
  async read(redis: Redis, most: number): Promise<boolean> {
    const { term, n } = this.replica.cursor(0);
    const after = term === 0 ? "-" : `(${term}-${n}`;
    const raw = (await redis.callBuffer("XRANGE", KEYS.log, after, "+", "COUNT", String(most))) as RawEntry[];
    await this.#applier.apply(redis, entriesOf(raw));
    return raw.length > 0;
  }
}

const idOf = (id: Buffer): [term: number, n: number] => {
  const { term, n } = readId(id);
  return [term, n];
};

/** Came at the very beginning, and comes back to any node. */
interface Subscriber {
  readonly channel: Buffer;
  position: number;
  /** In which the position is. */
  epoch: number;
  readonly seen: (string | null)[];
}

/** What a publisher knows of the log. */
interface Knowledge {
  readonly term: number;
  readonly top: number;
  readonly published: number;
  readonly sec: number;
  readonly tag: number;
  readonly epoch: number;
}

const ref = new ChannelRef();
const message = new Message();

export class TermsWorld {
  readonly nodes: Node[] = [];
  readonly subscribers: Subscriber[] = [];
  readonly faults: string[] = [];
  incarnations = 0;
  lostTails = 0;
  /** How often a node without memory was first at an emptied engine. */
  strangers = 0;
  publishes = 0;
  readonly #redis: Redis;
  readonly #script: string;
  readonly #random: () => number;
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-terms-"));
  /** Positions given out so far, a channel each, and the highest. */
  readonly #given = CHANNELS.map(() => ({ known: new Map<number, string>(), highest: 0 }));
  #primary = 0;
  #run = "run-0";
  #copied = 0;
  /** Nodes have read everything whenever the engine begins anew: a clock may go back then. */
  isPrompt = false;
  isNaive = false;

  constructor(redis: Redis, random: () => number, nodes = 3, script = APPEND) {
    this.#redis = redis;
    this.#random = random;
    this.#script = script;
    for (let at = 0; at < nodes; at++) this.nodes.push(new Node(join(this.#folder, `node-${at}`)));
    for (let at = 0; at < 9; at++) this.subscribers.push(this.#comes(at));
  }

  #comes(at: number): Subscriber {
    const channel = CHANNELS[at % CHANNELS.length] ?? Buffer.alloc(0);
    const { store } = this.#node();
    return { channel, position: store.positions.beginning(0), epoch: store.epoch, seen: [] };
  }

  async begin(): Promise<void> {
    for (const database of [0, 1]) {
      await this.#redis.call("SELECT", String(database));
      await this.#redis.call("FLUSHDB");
    }
    await this.#redis.call("SELECT", "0");
  }

  end(): void {
    for (const { store } of this.nodes) store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #node(): Node {
    const node = this.nodes[Math.floor(this.#random() * this.nodes.length)];
    if (node === undefined) throw new Error("there is no node");
    return node;
  }

  async step(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.4) await this.publish();
    else if (dice < 0.7) await this.#node().read(this.#redis, 1 + Math.floor(this.#random() * 8));
    else if (dice < 0.85)
      this.#poll(this.subscribers[Math.floor(this.#random() * this.subscribers.length)], this.#node());
    else if (dice < 0.88) await this.#node().reread(this.#redis, this.isNaive);
    else if (dice < 0.9) this.#node().renew();
    else if (dice < 0.95) await this.#replicate();
    else if (dice < 0.97) await this.#failOver();
    else if (dice < 0.985) await this.#restart();
    else await this.#wipe();
  }

  async publish(at = Math.floor(this.#random() * CHANNELS.length)): Promise<void> {
    const channel = CHANNELS[at];
    if (channel === undefined) return;
    const node = this.#node();
    await node.look(this.#redis);
    const { replica } = node;
    const known = { ...replica.shard(0), ...replica.clock, epoch: replica.joinedEpoch };
    await this.#write(at, channel, known);
  }

  async #write(at: number, channel: Buffer, known: Knowledge): Promise<void> {
    const given = this.#given[at];
    if (given === undefined) return;
    const text = `${channel}-${++this.publishes}`;
    const answer = (await this.#redis.call(
      "EVAL",
      this.#script,
      "4",
      ...[KEYS.meta, KEYS.log, KEYS.nodes, KEYS.counter(channel).toString()],
      ...[
        "m",
        this.#run,
        known.term,
        known.top,
        known.published,
        `${known.sec} ${known.tag}`,
        known.epoch,
        1,
      ].map(String),
      ...["who", "3600000", "300", channel.toString(), "s", text, "", "", String(this.publishes), ""],
    )) as string[];
    const position = Number(answer[2]);
    const before = given.known.get(position);
    if (before !== undefined)
      this.faults.push(`position ${position} was that of ${before} and is that of ${text}`);
    if (position <= given.highest)
      this.faults.push(`position ${position} of ${text} is not above ${given.highest}`);
    given.known.set(position, text);
    given.highest = Math.max(given.highest, position);
  }

  /** The replica has everything up to here. */
  async #replicate(): Promise<void> {
    const replica = String(1 - this.#primary);
    await this.#redis.call("SELECT", replica);
    await this.#redis.call("FLUSHDB");
    await this.#redis.call("SELECT", String(this.#primary));
    const keys = (await this.#redis.call("KEYS", "*")) as string[];
    for (const key of keys) await this.#redis.call("COPY", key, key, "DB", replica, "REPLACE");
    this.#copied = this.publishes;
  }

  async #failOver(): Promise<void> {
    if (this.#copied < this.publishes) this.lostTails++;
    await this.#promptly();
    this.#primary = 1 - this.#primary;
    await this.#redis.call("SELECT", String(this.#primary));
    await this.#restart();
    // The one before comes back as its replica, with its history.
    await this.#replicate();
  }

  async #promptly(): Promise<void> {
    if (this.isPrompt) for (const node of this.nodes) while (await node.read(this.#redis, 100));
  }

  /** Two incarnations within a millisecond are more than the clock tells apart (script.ts). */
  async #restart(): Promise<void> {
    await this.#promptly();
    this.#run = `run-${++this.incarnations}`;
    await Bun.sleep(2);
  }

  async #wipe(): Promise<void> {
    await this.#promptly();
    await this.#redis.call("FLUSHDB");
    if (this.#random() < 0.5) await this.#restart();
    else await Bun.sleep(2);
    if (!this.isPrompt && this.#random() < 0.5) await this.#isMetByNobody();
    await this.#replicate();
  }

  /**
   * A node that knows nothing writes to it first; the others write and read, each in its own time, and nobody
   * moves between them.
   */
  async #isMetByNobody(): Promise<void> {
    const epoch = FIRST_EPOCH + ++this.strangers;
    await this.#redis.call("HSET", KEYS.meta, "epoch", String(epoch), "shards", "1");
    const nothing = { term: 0, top: 0, published: 0, sec: 0, tag: 0, epoch };
    for (let count = Math.floor(this.#random() * 4); count > 0; count--) {
      const at = Math.floor(this.#random() * CHANNELS.length);
      await this.#write(at, CHANNELS[at] ?? Buffer.alloc(0), nothing);
    }
    for (let count = 0; count < 4; count++)
      if (this.#random() < 0.5) await this.publish();
      else await this.#node().read(this.#redis, 2);
    for (const node of this.nodes) {
      await node.look(this.#redis);
      while (await node.read(this.#redis, 100));
    }
  }

  /** A subscriber comes with what it saw last, and takes everything there is. */
  #poll(subscriber: Subscriber | undefined, { store, backlog }: Node): void {
    if (subscriber === undefined) return;
    const index = store.open(subscriber.channel, 1, ref);
    const seat = { index, incarnation: ref.incarnation, name: subscriber.channel, backtrack: 0 };
    const token = { life: lifeOf(subscriber.epoch, [subscriber.channel]), positions: [subscriber.position] };
    const asked = backlog.find([seat], { time: null, tag: null, eventId: null, token }, true);
    if (asked instanceof Promise) throw new Error("a position needs no search");
    const start = backlog.start(seat, 0, asked, true);
    if (start.unknown) subscriber.seen.push(null);
    const reader = store.history.reader(index, seat.incarnation, start.afterId);
    let stands = start.afterId;
    while (reader.next(message) === FOUND) {
      if (store.positions.missedBetween(index, stands, message.id - 1) > 0) subscriber.seen.push(null);
      reader.accept(message);
      stands = message.id;
      subscriber.seen.push(
        Buffer.from(
          message.bytes.subarray(message.dataOffset, message.dataOffset + message.dataLength),
        ).toString(),
      );
    }
    subscriber.epoch = store.epoch;
    subscriber.position = stands > 0 ? stands : store.positions.beginning(0);
  }

  /**
   * Everything is read, one more message comes to each channel, and everybody takes what there is; then the
   * promises are looked at.
   */
  async finish(): Promise<void> {
    for (let at = 0; at < CHANNELS.length; at++) await this.publish(at);
    for (const node of this.nodes) while (await node.read(this.#redis, 100));
    for (const subscriber of this.subscribers) this.#poll(subscriber, this.#node());
    const raw = (await this.#redis.call("XRANGE", KEYS.log, "-", "+")) as [string, string[]][];
    const history = new Set(
      raw.flatMap(([, [head, data]]) => (head?.startsWith("m ") ? [String(data)] : [])),
    );
    for (const { channel, seen } of this.subscribers) this.#judge(channel.toString(), seen, history);
    for (const channel of CHANNELS) this.#compare(channel);
  }

  #judge(channel: string, seen: readonly (string | null)[], history: ReadonlySet<string>): void {
    const texts = seen.filter((text) => text !== null);
    texts.forEach((text, at) => {
      if (texts.indexOf(text) !== at) this.faults.push(`${channel}: ${text} was seen twice`);
      const number = Number(text.split("-")[1]);
      const before = Number(texts[at - 1]?.split("-")[1] ?? 0);
      if (number < before) this.faults.push(`${channel}: ${text} was seen after ${before}`);
    });
    seen.forEach((text, at) => {
      if (text === null || history.has(text) || seen.slice(at + 1).includes(null)) return;
      this.faults.push(`${channel}: ${text} was lost, and who saw it was not told`);
    });
    const own = [...history].filter((text) => text.startsWith(`${channel}-`));
    if (seen.includes(null)) return;
    for (const text of own)
      if (!texts.includes(text)) this.faults.push(`${channel}: ${text} was not given, and no gap told`);
  }

  /** All nodes have the same of it. */
  #compare(channel: Buffer): void {
    const said = this.nodes.map(({ store }) => {
      const index = store.find(channel, ref);
      return index < 0
        ? "nothing"
        : `${store.positions.publishedTotal(index)} published, ${store.storedCount(index)} stored`;
    });
    if (new Set(said).size > 1) this.faults.push(`${channel}: the nodes say ${said.join("; ")}`);
  }
}
