/**
 * Writes to the log of one shard, for one worker. Every request is answered within engine_timeout: it was
 * taken, nothing was stored, or it is not known. Used by order.ts (messages, deletions) and heartbeat.ts.
 *
 * A connection that ends with requests unanswered: they may have been taken or not. When the engine is back,
 * the connection of before is ended for good (so that nothing of it is carried out later), and the log is
 * read from where it was when they were sent: what is found there was taken, the rest is sent again. Each
 * entry says who wrote it, and which request it was. The usual way pays nothing for this.
 *
 *   waiting ──► sent ──► answered
 *      ▲          │ the connection ends
 *      │          ▼
 *      └── not in the log ◄── looked for ──► in the log: answered
 */
import type { ClusterConfig, EngineAddress } from "../config/model/cluster.ts";
import { log } from "../log.ts";
import type { ReplicaStore } from "../store/replica/replica-store.ts";
import { answerAt, type Context, callsOf, writeCall } from "./calls.ts";
import { EngineLink, type Session } from "./engine-link.ts";
import type { Authorship } from "./entry.ts";
import type { ShardKeys } from "./keys.ts";
import { ReplicaWait } from "./replica-wait.ts";
import { type Answer, Request, type ScriptCall } from "./request.ts";
import { asNumbers } from "./resp.ts";
import { APPEND } from "./script.ts";
import { trimLog } from "./trim.ts";
import { lookFor } from "./unanswered.ts";

const MOST_WAITING = 10_000;
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const LOOK_MS = 100;
/** Of the engine: another server is to be asked, and nothing was done. */
const ELSEWHERE = /^(READONLY|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|UNBLOCKED)\b/;
/** The reader will take it over (rejoin.ts), or has already. */
const OTHER_EPOCH = /^EPOCH\b/;
const FULL = /^(OOM|MISCONF|NOREPLICAS)\b/;

const sha = new Bun.CryptoHasher("sha1").update(APPEND).digest("hex");

export interface PublisherOptions {
  readonly config: ClusterConfig;
  readonly engine: EngineAddress;
  readonly keys: ShardKeys;
  readonly shard: number;
  readonly replica: ReplicaStore;
  readonly epoch: () => number;
  /** Of this worker's life, in every entry it writes. */
  readonly who: string;
  /** How long the engine keeps a channel's counter (milliseconds), and an idempotency key (seconds). */
  readonly kept: readonly [retention: string, window: string];
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #link: EngineLink;
  /** In the order in which they were asked for. */
  readonly #open = new Map<number, Request>();
  #bytes = 0;
  #numbers = 0;
  #last: Session | null = null;
  /** A connection of before ended with requests unanswered, and they are looked for in the log. */
  #isSettling = false;
  /** null: the primary's word is enough. */
  readonly #replicas: ReplicaWait | null;
  /** To be written when this turn is over. */
  #leaving: Request[] = [];
  #downSinceMs = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { config, engine, keys } = options;
    this.#replicas =
      config.ack === "replica" ? new ReplicaWait((one, answer) => this.#answer(one, answer)) : null;
    this.#link = new EngineLink(config, engine, keys, {
      up: (session) => this.#up(session),
      down: () => this.#down(),
      failed: (cause) => log("debug", "no connection to the engine for publishing", { cause }),
    });
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#link.start();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#link.stop();
    for (const request of this.#open.values())
      this.#answer(request, { kind: request.isSent ? "unknown" : "away" });
  }

  get isUp(): boolean {
    return this.#link.session !== null;
  }

  append(call: ScriptCall): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const { engineTimeoutMs } = this.#options.config;
    const nowMs = performance.now();
    const isLongAway = !this.isUp && nowMs - this.#downSinceMs > engineTimeoutMs;
    if (isLongAway || this.#open.size >= MOST_WAITING || this.#bytes > MOST_WAITING_BYTES)
      return Promise.resolve({ kind: "away" });
    const request = new Request(++this.#numbers, call, nowMs + engineTimeoutMs, resolve);
    this.#open.set(request.number, request);
    this.#bytes += request.bytes;
    const { session } = this.#link;
    if (session !== null && !this.#isSettling) this.#send(session, request);
    return promise;
  }

  /** What is older than `id` (null: nothing), and what makes the log larger than `bytes`, goes. */
  async trim(id: string | null, bytes: number): Promise<void> {
    const { session } = this.#link;
    if (session === null) return;
    const timer = setTimeout(() => this.#link.giveUp(), this.#options.config.engineTimeoutMs);
    try {
      await trimLog(session.redis, this.#options.keys.log, id, bytes);
    } finally {
      clearTimeout(timer);
    }
  }

  #answer(request: Request, answer: Answer): void {
    if (!this.#open.delete(request.number)) return;
    this.#bytes -= request.bytes;
    request.resolve(answer);
  }

  /**
   * What is sent in one turn of the event loop leaves in one write: a system call costs more than all the
   * rest of it.
   */
  #send(session: Session, request: Request): void {
    request.isSent = true;
    request.after = this.#options.replica.cursor(this.#options.shard);
    this.#leaving.push(request);
    if (this.#leaving.length === 1 && !this.#replicas?.isWaiting) this.#writeLater(session);
  }

  #writeLater(session: Session): void {
    setImmediate(() => {
      const requests = this.#leaving;
      this.#leaving = [];
      this.#write(session, requests);
    });
  }

  #replied(request: Request, answer: Answer): void {
    if (this.#replicas?.hold(request, answer)) return;
    this.#answer(request, answer);
  }

  #write(session: Session, requests: readonly Request[]): void {
    const { keys, replica, shard, epoch, config, who, kept } = this.#options;
    const { term, top, published } = replica.shard(shard);
    const { runId } = session.server;
    const { sec, tag } = replica.clock;
    const known = [runId, term, top, published, `${sec} ${tag}`, epoch(), config.shards, who].map(String);
    const { meta, log: entries, nodes, counters: counter } = keys;
    const context = { script: sha, counter, keys: [meta, entries, nodes], known, kept };
    for (const call of callsOf(requests)) this.#call(session, call, context);
    this.#replicas?.wait(session.redis).finally(() => {
      if (this.#leaving.length > 0) this.#writeLater(session);
    });
  }

  #call(session: Session, requests: readonly Request[], context: Context): void {
    session.redis
      .send((out) => writeCall(out, requests, context), asNumbers)
      .then(
        (reply) => {
          let place = 0;
          for (const request of requests) this.#replied(request, answerAt(reply, place++));
        },
        (error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          for (const request of requests) this.#refused(session, request, message);
        },
      );
  }

  #refused(session: Session, request: Request, message: string): void {
    // Of a connection that ended: #down has seen to it.
    if (this.#link.session !== session || !this.#open.has(request.number)) return;
    if (message.startsWith("NOSCRIPT")) {
      request.isSent = false;
      this.#loadScript(session);
    } else if (ELSEWHERE.test(message)) {
      request.isSent = false;
      this.#link.giveUp();
    } else if (OTHER_EPOCH.test(message)) {
      request.isSent = false;
    } else if (FULL.test(message)) {
      this.#answer(request, { kind: "full" });
    } else if (session.redis.isOpen) {
      this.#tellRefusal(message);
      this.#answer(request, { kind: "refused" });
    }
  }

  #toldRefusal = "";
  /** Once for each sentence in a row. */
  #tellRefusal(message: string): void {
    if (message !== this.#toldRefusal) log("error", "the engine refuses what this node writes", { message });
    this.#toldRefusal = message;
  }

  #isLoading = false;
  #loadScript(session: Session): void {
    if (this.#isLoading) return;
    this.#isLoading = true;
    session.redis
      .call("SCRIPT", "LOAD", APPEND)
      .catch(() => undefined)
      .finally(() => {
        this.#isLoading = false;
        if (this.#link.session === session) this.#sendWaiting(session);
      });
  }

  #sendWaiting(session: Session): void {
    for (const request of this.#open.values()) if (!request.isSent) this.#send(session, request);
  }

  #down(): void {
    this.#downSinceMs = performance.now();
  }

  #up(session: Session): void {
    const before = this.#last;
    this.#last = session;
    const uncertain = [...this.#open.values()].filter(({ isSent }) => isSent);
    this.#isSettling = true;
    this.#settle(session, before, uncertain)
      .then(() => {
        if (this.#link.session !== session) return;
        this.#isSettling = false;
        this.#sendWaiting(session);
      })
      .catch((error: unknown) => {
        log("debug", "the log could not be looked into", { error: String(error) });
        this.#link.giveUp();
      });
  }

  /**
   * Finds in the log what the connection of before was not answered for. What is not there waits to be sent
   * again.
   */
  async #settle(session: Session, before: Session | null, uncertain: readonly Request[]): Promise<void> {
    await session.redis.call("SCRIPT", "LOAD", APPEND);
    if (uncertain.length === 0) return;
    const { log: key } = this.#options.keys;
    await lookFor(uncertain, session, before, key, (author) => this.#recognise(author));
    for (const request of uncertain) request.isSent = false;
  }

  #recognise({ who, request: number, term, n, position }: Authorship): void {
    const request = who === this.#options.who ? this.#open.get(number) : undefined;
    if (request === undefined) return;
    // Whether a replica had it by then cannot be asked on another connection.
    const isCertain = this.#replicas === null || !request.isWaitedFor;
    this.#answer(
      request,
      isCertain ? { kind: "accepted", term, n, position, isDuplicate: false } : { kind: "unreplicated" },
    );
  }

  /** Nobody waits longer than engine_timeout; a server that let one wait so long is given up. */
  #look(): void {
    const nowMs = performance.now();
    let isStalled = false;
    for (const request of this.#open.values()) {
      if (request.untilMs > nowMs) break;
      if (request.isSent) isStalled = true;
      this.#answer(request, { kind: request.isSent ? "unknown" : "away" });
    }
    const { session } = this.#link;
    if (isStalled) this.#link.giveUp();
    else if (session !== null && !this.#isSettling) this.#sendWaiting(session);
  }
}
