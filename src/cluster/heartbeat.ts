/**
 * This node's word to the others, every two seconds, as an entry of the log: that it is there, and its
 * subscribers by channel. Run by the worker that reads the log. It also takes leave of nodes that are silent,
 * and trims the log when this node is the first by name.
 */
import type { ClusterConfig } from "../config/model/cluster.ts";
import { log } from "../log.ts";
import { LivingChannels } from "../store/channel/channel-statistics.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import type { Entry } from "./entry.ts";
import { shardOf } from "./keys.ts";
import type { NoteListener } from "./notes.ts";
import { type Heartbeat, Others } from "./others.ts";
import type { Publisher } from "./publisher.ts";

const BEAT_MS = 2000;
const SILENT_MS = 10_000;
/** Counts in one entry; what is more comes with the next. */
const MOST_COUNTS = 5000;

export interface HeartbeatOptions {
  readonly config: ClusterConfig;
  readonly shard: number;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly version: string;
  readonly life: string;
  readonly notes: NoteListener | null;
  /** It is this node that took leave of it. */
  readonly buried: (node: string) => void;
  /** How long the log reaches back. */
  readonly retentionMs: number;
}

interface Mark {
  readonly atMs: number;
  readonly term: number;
  readonly n: number;
}

export class NodeHeartbeat {
  readonly #options: HeartbeatOptions;
  readonly others: Others;
  readonly #told = new Map<string, number>();
  #isFull = true;
  #asks = true;
  #isBeating = false;
  #isTwinTold = false;
  /** Where the log was, and when: what is older than messages live is trimmed. */
  readonly #marks: Mark[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.others = new Others(options.store);
    options.notes?.doubts(options.shard);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#beat();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * What this node has told last may be lost with the engine's tail, and so may be what others have:
   * everybody says everything again.
   */
  beginAnew(): void {
    this.#isFull = true;
    this.#asks = true;
    this.#options.notes?.doubts(this.#options.shard);
    this.#options.notes?.asked(null);
  }

  heard(entry: Extract<Entry, { kind: "heartbeat" | "gone" }>): void {
    const own = this.#options.config.node;
    const { notes, shard } = this.#options;
    const isFirst = shard === 0;
    if (entry.kind === "gone") {
      if (isFirst) notes?.gone(entry.node);
      // Others took this one for dead: it tells them everything again.
      if (entry.node === own) {
        this.#isFull = true;
        notes?.asked(null);
      } else this.others.gone(entry.node);
      return;
    }
    const said = readHeartbeat(entry.said);
    if (said === null) return;
    if (isFirst) notes?.alive(entry.who, said.life);
    if (entry.who === own) {
      if (said.life !== this.#options.life) this.#meetTwin(entry.place.sec);
      return;
    }
    if (said.asks) {
      this.#isFull = true;
      notes?.asked(entry.place);
    }
    if (said.answers !== undefined) notes?.saidAll(shard, entry.who, said.answers);
    // Replayed: whether it is still there shows when it speaks again.
    const ageMs = Math.max(0, Date.now() - entry.place.sec * 1000);
    this.others.hear(
      entry.who,
      said,
      entry.place.n,
      performance.now() - Math.min(ageMs, SILENT_MS - BEAT_MS),
    );
  }

  /** Of the run before this one in the log, or another node that has taken the same name. */
  #meetTwin(sec: number): void {
    if (this.#isTwinTold || Date.now() / 1000 - sec > 1 || performance.now() < SILENT_MS) return;
    this.#isTwinTold = true;
    log("error", `another node of the cluster is called ${this.#options.config.node}: set cluster.node`);
  }

  #beat(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    this.#say()
      .catch((error: unknown) => log("debug", "no heartbeat", { error: String(error) }))
      .finally(() => {
        this.#isBeating = false;
      });
  }

  async #say(): Promise<void> {
    const { config, publisher, store, shard } = this.#options;
    this.others.refresh();
    const said = this.#heartbeat();
    if (said === null) return;
    const answer = await publisher.append({
      kind: "h",
      counters: [],
      rest: [config.node, JSON.stringify(said)],
    });
    if (answer.kind !== "accepted") {
      this.#isFull = true;
      return;
    }
    if (said.asks) {
      this.#asks = false;
      this.#options.notes?.asking(shard, answer);
    }
    // How far the log goes now: what was not read of it yet is the lag.
    store.replica?.setSeen(shard, answer.n);
    this.#marks.push({ atMs: performance.now(), term: answer.term, n: answer.n });
    await this.#buryTheSilent();
    await this.#trim();
  }

  #heartbeat(): Heartbeat | null {
    const { store, version, life, shard, notes } = this.#options;
    const isFull = this.#isFull;
    const channels = this.#changes(isFull);
    if (channels === null) return null;
    this.#isFull = false;
    let connections = 0;
    let subscribers = 0;
    let workers = 0;
    for (let slot = 0; slot < store.workerSlots; slot++) {
      if (store.workers.slotPid(slot) === 0) continue;
      workers++;
      connections += store.counters.get(slot, Counter.CONNECTIONS);
      subscribers += store.counters.get(slot, Counter.SUBSCRIBERS);
    }
    const lag = store.replica?.shard(shard).lag ?? 0;
    const answers = notes?.answered(shard) ?? null;
    return {
      life,
      version,
      subscribers: shard === 0 ? subscribers : 0,
      connections,
      workers,
      lag,
      channels,
      isFull,
      asks: this.#asks,
      ...(answers === null ? {} : { answers }),
    };
  }

  /** null: the store is busy. */
  #changes(isFull: boolean): Record<string, number> | null {
    const { store, config, shard } = this.#options;
    const living = LivingChannels.of(store);
    const { replica } = store;
    if (living === null || replica === null) return null;
    if (isFull) this.#told.clear();
    const seen = new Set<string>();
    const changes: Record<string, number> = {};
    let left = MOST_COUNTS;
    for (let at = 0; at < living.length && left > 0; at++) {
      const index = living.indexAt(at);
      const count = replica.localSubscribers(index);
      if (count === 0) continue;
      const bytes = store.name(index);
      if (config.shards > 1 && shardOf(bytes, config.shards) !== shard) continue;
      const name = Buffer.from(bytes).toString("latin1");
      seen.add(name);
      if (this.#told.get(name) === count) continue;
      this.#told.set(name, count);
      changes[name] = count;
      left--;
    }
    if (left === 0) return changes;
    for (const name of this.#told.keys()) {
      if (seen.has(name)) continue;
      this.#told.delete(name);
      changes[name] = 0;
    }
    return changes;
  }

  /** Whoever says so first is believed, if the silent one has not spoken since (script.ts). */
  async #buryTheSilent(): Promise<void> {
    const nowMs = performance.now();
    for (const { name, heardMs, n } of [...this.others.nodes.values()]) {
      if (nowMs - heardMs < SILENT_MS) continue;
      log("warn", "a node of the cluster is silent: its subscribers count no more", { node: name });
      const answer = await this.#options.publisher.append({
        kind: "g",
        counters: [],
        rest: [name, String(n)],
      });
      // Another was first: that one is answered with no place.
      if (answer.kind === "accepted" && answer.n > 0) this.#options.buried(name);
      this.others.gone(name);
    }
  }

  async #trim(): Promise<void> {
    const first = [...this.others.nodes.keys(), this.#options.config.node].sort()[0];
    if (first !== this.#options.config.node) return;
    const { publisher, config, retentionMs } = this.#options;
    const nowMs = performance.now();
    let old: Mark | null = null;
    for (
      let mark = this.#marks[0];
      mark !== undefined && nowMs - mark.atMs > retentionMs;
      mark = this.#marks[0]
    ) {
      old = mark;
      this.#marks.shift();
    }
    await publisher.trim(old === null ? null : `${old.term}-${old.n}`, config.logBytes);
  }
}

export function readHeartbeat(bytes: Uint8Array): Heartbeat | null {
  try {
    const said: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isHeartbeat(said) ? said : null;
  } catch {
    return null; // another version's
  }
}

const isHeartbeat = (said: unknown): said is Heartbeat =>
  typeof said === "object" &&
  said !== null &&
  "life" in said &&
  typeof said.life === "string" &&
  "subscribers" in said &&
  typeof said.subscribers === "number" &&
  "channels" in said &&
  typeof said.channels === "object" &&
  said.channels !== null &&
  (!("answers" in said) || isPlace(said.answers));

const isPlace = (said: unknown): boolean =>
  typeof said === "object" &&
  said !== null &&
  "term" in said &&
  typeof said.term === "number" &&
  "n" in said &&
  typeof said.n === "number";
