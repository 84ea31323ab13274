/**
 * `context.answer(channel, generator)`: an answer that is made once, in a channel of its own, and watched by
 * any number of clients, who may go away and come back. One a worker, in HandlerHost.
 *
 * Who makes it has a claim in sluice's own dictionary, the number of its process, added atomically: of two
 * requests that begin the same answer one does. The rest follows from the channel:
 *
 *   a claim of a living worker          it is being made: watch
 *   a claim of a dead one               whoever takes the claim away tells of it: watch
 *   no claim, the last word is there    it is over: what is stored of it, or 204 for who has seen that
 *   no claim, no last word              its server was restarted: that is told
 *   nothing                             made anew, unless the client wants to go on with one
 *
 * In a cluster the engine is asked as well (clustered-answers.ts).
 */
import type { AnswerSource } from "sluice";
import { errorPage } from "../front/error-page.ts";
import { SERVER } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { log } from "../log.ts";
import { openTarget, type Target } from "../publish/ingest.ts";
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { lifeOf, parsePosition } from "../wire/position.ts";
import { hasBegun, hasEnded, isUnfinished } from "./answer-channel.ts";
import { ERROR } from "./answer-format.ts";
import { type AnswerLeases, ClusteredAnswers, type LocalAnswers } from "./clustered-answers.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { channelBytes, textOf } from "./publishing.ts";
import { RefusedError, tellOfRefused } from "./refused-error.ts";
import { RunningAnswer, tell } from "./running-answer.ts";
import { WatchedAnswer } from "./watched-answer.ts";

const LOOK_MS = 1000;
const PING_EVERY = 15;
/** Being made by one worker. */
const MOST_RUNNING = 1000;
/** Of sluice's dictionary: a claim must never have to make room for another. */
const FULLEST = 0.75;
const GONE = "the worker that made this answer is gone";
const RESTARTED = "the server was restarted while this answer was made";
const NO_CONTENT = { status: 204, headers: SERVER };

export interface AskedAnswer {
  readonly method: string;
  readonly channel: string;
  /** null: only what is there already. */
  readonly source: AnswerSource | null;
  /** Where the client wants to go on; null: nowhere. */
  readonly position: string | null;
  readonly file: string;
  readonly lingerMs: number;
  readonly maxBytes: number;
}

const claimOf = (channel: string): string => `answer ${channel}`;

export class Answers implements LocalAnswers {
  readonly #host: HandlerHost;
  /** null: one machine alone. */
  readonly #cluster: ClusteredAnswers | null;
  readonly #running = new Map<string, RunningAnswer>();
  readonly #watchers = new Set<WatchedAnswer>();
  #timer: Timer | null = null;
  #looks = 0;

  constructor(host: HandlerHost, leases: AnswerLeases | null) {
    this.#host = host;
    this.#cluster = leases === null ? null : new ClusteredAnswers(leases, this, host.ingest.store);
  }

  get #store(): Store {
    return this.#host.ingest.store;
  }

  /** A worker that leaves should wait. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Throws a RefusedError, or rejects with one where there is an engine to be asked. */
  ask(asked: AskedAnswer): WatchedAnswer | Response | Promise<WatchedAnswer | Response> {
    const name = channelBytes(this.#host, asked.channel);
    // A browser asks so before it asks in earnest, and it may cost money to begin.
    if (asked.method === "OPTIONS") return new Response(null, NO_CONTENT);
    if (asked.method === "HEAD")
      return new Response(null, { status: hasBegun(this.#store, name) ? 200 : 404, headers: SERVER });
    if (this.#cluster !== null) {
      const answered = this.#cluster.ask(asked, name);
      // Somebody's code may not wait for it.
      answered.catch((error: unknown) =>
        tellOfRefused("what a handler wanted to answer was not begun", error),
      );
      return answered;
    }
    if (asked.method === "DELETE") return this.#callOff(asked.channel, name);
    return this.#begin(asked, name) ?? this.watch(asked, name);
  }

  /** null: it is there, or is being made. */
  #begin(asked: AskedAnswer, name: Uint8Array): Response | null {
    const { channel, source, position } = asked;
    if (this.isClaimed(channel, name)) return null;
    if (hasBegun(this.#store, name)) {
      if (isUnfinished(this.#store, name)) this.tell(name, RESTARTED);
      return null;
    }
    if (position !== null || source === null) return errorPage(404);
    this.mayBegin();
    if (!this.claim(channel)) return null;
    try {
      // Somebody may have made all of it since.
      if (hasBegun(this.#store, name)) this.unclaim(channel);
      else this.start(asked, name);
    } catch (error) {
      this.unclaim(channel);
      throw error;
    }
    return null;
  }

  isClaimed(channel: string, name: Uint8Array): boolean {
    const owner = this.#host.dictionaries.own.get(claimOf(channel));
    if (typeof owner !== "number") return false;
    if (this.#host.ingest.store.workers.slotOf(owner) < 0) this.#buryClaim(channel, name, owner);
    return true;
  }

  mayBegin(): void {
    const { bytes, usedBytes } = this.#host.dictionaries.ownCounts;
    if (this.#running.size >= MOST_RUNNING || usedBytes > bytes * FULLEST || this.#host.draining)
      throw atHandler(new RefusedError(Refusals.handlersBusy));
  }

  claim(channel: string): boolean {
    return this.#host.dictionaries.own.add(claimOf(channel), process.pid);
  }

  unclaim(channel: string): void {
    this.#host.dictionaries.own.deleteIf(claimOf(channel), process.pid);
  }

  /** By whoever has the claim. */
  start({ channel, source, file, lingerMs, maxBytes }: AskedAnswer, name: Uint8Array): void {
    const { dictionaries, ingest } = this.#host;
    if (source === null) return;
    const target = this.#open(name);
    const claim = claimOf(channel);
    const isClaimed = (): boolean => dictionaries.own.get(claim) === process.pid;
    // What another node writes there is that it was called off, or taken for dead.
    const isWanted = this.#cluster === null ? isClaimed : () => isClaimed() && !hasEnded(this.#store, name);
    const over = (): void => this.#over(channel, name);
    const making = { host: this.#host, file, target, source, lingerMs, maxBytes, isWanted, over };
    this.#running.set(channel, new RunningAnswer(making));
    ingest.store.counters.add(ingest.slot, Counter.ANSWERS_MADE, 1);
    this.#tick();
  }

  watch({ position }: AskedAnswer, name: Uint8Array): WatchedAnswer | Response {
    const { store } = this.#host.ingest;
    const channel = this.#open(name);
    const { index } = channel;
    const newest = store.publishedCount(index);
    const place = position === null ? null : parsePosition(position, 1);
    const isOfChannel = place?.life === lifeOf(store.epoch, [name]);
    const afterId = isOfChannel ? (place.positions[0] ?? 0) - store.positions.base(index) : -1;
    // A node may be behind the one that the client comes from.
    const isOurs = afterId >= 0 && (afterId <= newest || this.#cluster !== null);
    // The browser is not to come back (HTML 9.2.3).
    if (isOurs && afterId === newest && newest > 0 && !isUnfinished(this.#store, name))
      return new Response(null, NO_CONTENT);
    const isForeign = position !== null && !isOurs;
    return new WatchedAnswer({ host: this.#host, channel, afterId: isOurs ? afterId : 0, isForeign });
  }

  /** Whoever makes it notices, here at once, elsewhere at its next piece or look. */
  #callOff(channel: string, name: Uint8Array): Response {
    const { own } = this.#host.dictionaries;
    const owner = own.get(claimOf(channel));
    if (typeof owner !== "number" || !own.deleteIf(claimOf(channel), owner)) return errorPage(404);
    this.tell(name, "the answer was called off");
    this.stop(channel);
    return new Response(null, NO_CONTENT);
  }

  stop(channel: string): void {
    this.#running.get(channel)?.stop(null);
  }

  #over(channel: string, name: Uint8Array): void {
    this.#running.delete(channel);
    this.unclaim(channel);
    this.#cluster?.over(name);
  }

  #buryClaim(channel: string, name: Uint8Array, owner: number): void {
    if (!this.#host.dictionaries.own.deleteIf(claimOf(channel), owner)) return;
    if (this.#cluster === null) this.tell(name, GONE);
    else void this.#cluster.workerDied(name, owner, GONE);
  }

  tell(name: Uint8Array, why: string): void {
    void tell(this.#host, this.#open(name), ERROR, why);
  }

  #open(name: Uint8Array): Target {
    const target = openTarget(this.#host.ingest.store, name, Date.now());
    if ("status" in target) throw atHandler(new RefusedError(target));
    return target;
  }

  // --- what goes on ----------------------------------------------------------------------------------------

  watches(watcher: WatchedAnswer): void {
    this.#watchers.add(watcher);
    this.#tick();
  }

  leaves(watcher: WatchedAnswer): void {
    this.#watchers.delete(watcher);
  }

  /** The worker ends with answers that are not done. */
  abandon(): void {
    for (const answer of this.#running.values()) answer.stop(RESTARTED);
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    this.#timer ??= setInterval(() => this.#lookSafely(), LOOK_MS);
  }

  #lookSafely(): void {
    try {
      this.#look();
    } catch (error) {
      log("warn", "answers could not be looked after in this second", { error: String(error) });
    }
  }

  #look(): void {
    const nowMs = performance.now();
    for (const answer of this.#running.values()) answer.look(nowMs);
    this.#looks++;
    this.#lookAtOwners();
    this.#lookElsewhere();
    if (this.#looks % PING_EVERY === 0) for (const watcher of this.#watchers) watcher.ping();
    if (this.#running.size > 0 || this.#watchers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** The same of nodes. */
  #lookElsewhere(): void {
    if (this.#cluster === null) return;
    const made = new Map<string, Uint8Array>();
    for (const [channel, { target }] of this.#running) made.set(channel, target.name);
    const watched = new Map<string, Uint8Array>();
    for (const { channel } of this.#watchers) {
      const text = textOf(channel.name);
      if (!made.has(text)) watched.set(text, channel.name);
    }
    this.#cluster.look(made, [...watched.values()]);
  }

  /** Those who watch are to hear of it when the worker that made it has died. */
  #lookAtOwners(): void {
    const seen = new Set<Uint8Array>();
    for (const { channel } of this.#watchers) {
      if (seen.has(channel.name)) continue;
      seen.add(channel.name);
      const text = textOf(channel.name);
      const owner = this.#host.dictionaries.own.get(claimOf(text));
      if (typeof owner === "number" && this.#host.ingest.store.workers.slotOf(owner) < 0)
        this.#buryClaim(text, channel.name, owner);
    }
  }
}
