/**
 * Reads the log of one shard into this node's store: one blocking XREAD after the other, from the store's own
 * cursor. Runs in the worker that has the lease (node.ts). Nothing of it is kept in memory: who takes it over
 * goes on at the cursor.
 *
 * Not pub/sub: that loses what a paused reader did not take, in silence. A stream gives everything, once and
 * in order.
 */
import type { EngineAddress } from "../config/model/cluster.ts";
import { log } from "../log.ts";
import type { RevokedMark } from "../store/replica/replica-store.ts";
import { EngineLink, type Session } from "./engine-link.ts";
import { Entries } from "./entries.ts";
import { type ApplierOptions, LogApplier } from "./log-applier.ts";

/** Entries a read: some 3 ms of the worker, and a quarter of a megabyte of small messages. */
const ENTRIES_A_READ = 1000;
/** How long the engine waits for something to come; an answer comes in any case, or the engine is gone. */
const BLOCK_MS = 1000;
/** A thousand entries take milliseconds; a fork, or a store that is being repaired, seconds. */
const APPLIED_WITHIN_MS = 30_000;
/** From one entry in three milliseconds on; never long enough to be seen by a person. */
const REST_PER_ENTRY_MS = 3;
const LONGEST_REST_MS = 5;
/** Where nobody of this node listens: those who poll see it that much later. */
const UNHEARD_REST_MS = 25;

export interface ReaderOptions extends ApplierOptions {
  readonly engine: EngineAddress;
  /** Whether anybody of this node listens to anything. */
  readonly isHeard: () => boolean;
  /**
   * What was taken back, as this node knows it; and how the others are told of what the engine has lost of
   * it.
   */
  readonly revoked: (nowSec: number) => readonly RevokedMark[];
  readonly giveBack: (mark: RevokedMark) => Promise<unknown>;
}

export class LogReader {
  readonly #options: ReaderOptions;
  readonly #link: EngineLink;
  readonly #applier: LogApplier;
  #isStopped = false;
  #isTold = false;
  /** At each connection, and whenever the engine begins anew. */
  #asksRevoked = true;
  #lastMs = 0;
  /** Entries that come in a millisecond. */
  #perMs = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    const { config, engine, keys } = options;
    this.#applier = new LogApplier({
      ...options,
      begunAnew: () => {
        this.#asksRevoked = true;
        options.begunAnew();
      },
    });
    this.#link = new EngineLink(config, engine, keys, {
      up: (session) => this.#up(session),
      down: () => this.#down("the connection ended"),
      failed: (cause) => this.#down(cause),
    });
    this.#link.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#applier.stop();
    this.#link.stop();
    this.#options.replica.setConnected(this.#options.shard, false);
  }

  #up(session: Session): void {
    const { replica, shard } = this.#options;
    replica.setConnected(shard, true);
    this.#asksRevoked = true;
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
    const { replica, shard } = this.#options;
    let lookedMs = Number.NEGATIVE_INFINITY;
    while (!this.#isStopped && this.#link.session === session) {
      if (performance.now() - lookedMs > BLOCK_MS) {
        await this.#within(APPLIED_WITHIN_MS, this.#applier.lookAtEpoch(session.redis));
        lookedMs = performance.now();
      }
      if (shard === 0 && this.#asksRevoked) await this.#within(APPLIED_WITHIN_MS, this.#readRevoked(session));
      const { term, n } = replica.cursor(shard);
      const entries = await this.#next(session, `${term}-${n}`);
      if (this.#isStopped || this.#link.session !== session) return;
      // A fork asks the engine what it knows: an engine that falls silent then is given up, too.
      await this.#within(APPLIED_WITHIN_MS, this.#applier.apply(session.redis, entries));
      session.redis.giveBack(entries.bytes);
      if (entries.count > 0) await this.#rest(entries.count);
      if (entries.count === ENTRIES_A_READ) continue;
      await this.#within(APPLIED_WITHIN_MS, this.#applier.caughtUp(session.redis));
      replica.setSeen(shard, replica.cursor(shard).n);
      replica.setReady(shard, true);
    }
  }

  /**
   * The connection is given up when the work is not done in time; what waits for an answer is rejected then.
   */
  async #within<T>(limitMs: number, work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#link.giveUp(), limitMs);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What was taken back before the log's beginning; and what the engine has lost of it is given back. */
  async #readRevoked({ redis }: Session): Promise<void> {
    const { replica, keys, revoked, giveBack } = this.#options;
    const nowSec = Math.floor(Date.now() / 1000);
    const found: unknown = await redis.call("HGETALL", keys.revoked);
    const words = Array.isArray(found) ? found.map(String) : [];
    const known = new Map<string, string>();
    for (let at = 0; at + 1 < words.length; at += 2) {
      const [name = "", said = ""] = words.slice(at, at + 2);
      const [low = 0, high = 0] = name.split(" ").map(Number);
      const [issuedBeforeSec = 0, untilSec = 0] = said.split(" ").map(Number);
      known.set(name, said);
      if (untilSec > nowSec) replica.revoke({ low, high, issuedBeforeSec, untilSec }, nowSec);
      else await redis.call("HDEL", keys.revoked, name);
    }
    this.#asksRevoked = false;
    const lost = revoked(nowSec).filter(
      ({ low, high, issuedBeforeSec, untilSec }) =>
        known.get(`${low} ${high}`) !== `${issuedBeforeSec} ${untilSec}`,
    );
    if (lost.length > 0)
      log("info", "what was taken back is given to the engine again", { marks: lost.length });
    for (const mark of lost) await giveBack(mark);
  }

  /**
   * Where much comes and nobody of this node waits for it, a pause lets it gather: a read costs some 40 µs,
   * however little it brings. The pause is no longer than what the entries that come in it are worth, unless
   * nobody of this node listens at all.
   */
  async #rest(entries: number): Promise<void> {
    const nowMs = performance.now();
    const perMs = entries / Math.max(0.1, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    // Of the last twenty reads or so.
    this.#perMs += (perMs - this.#perMs) / 20;
    const worthMs = Math.floor(this.#perMs * REST_PER_ENTRY_MS);
    if (entries === ENTRIES_A_READ) return;
    const { replica, shard, isHeard } = this.#options;
    const isAwaited = (): boolean => replica.isAwaited(shard, Date.now());
    const restMs = Math.min(LONGEST_REST_MS, worthMs);
    if (restMs > 0) await Bun.sleep(isAwaited() ? Math.floor(restMs / LONGEST_REST_MS) : restMs);
    // However little comes. In pieces: somebody may come.
    for (let left = UNHEARD_REST_MS - restMs; left > 0; left -= LONGEST_REST_MS) {
      if (this.#isStopped || isAwaited() || isHeard()) return;
      await Bun.sleep(Math.min(left, LONGEST_REST_MS));
    }
  }

  /**
   * What comes after the cursor; nothing when nothing came for a while. Rejects when there is no answer at
   * all.
   */
  #next({ redis }: Session, after: string): Promise<Entries> {
    const { keys, config } = this.#options;
    const [count, block] = [String(ENTRIES_A_READ), String(BLOCK_MS)];
    return this.#within(
      BLOCK_MS + config.engineTimeoutMs,
      redis.sendWords(asEntries, "XREAD", "COUNT", count, "BLOCK", block, "STREAMS", keys.log, after),
    );
  }
}

const asEntries = (bytes: Buffer, from: number): Entries => new Entries(bytes, from);
