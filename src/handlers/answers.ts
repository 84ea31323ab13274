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
 */
import type { AnswerSource } from "sluice";
import { errorPage } from "../front/error-page.ts";
import { SERVER } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { log } from "../log.ts";
import { openTarget, type Target } from "../publish/ingest.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND } from "../store/message/reader.ts";
import { lifeOf, parsePosition } from "../wire/position.ts";
import { ERROR, isFinal } from "./answer-format.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { channelBytes, textOf } from "./publishing.ts";
import { RefusedError } from "./refused-error.ts";
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
const message = new Message();

export class Answers {
  readonly #host: HandlerHost;
  readonly #running = new Map<string, RunningAnswer>();
  readonly #watchers = new Set<WatchedAnswer>();
  #timer: Timer | null = null;
  #looks = 0;

  constructor(host: HandlerHost) {
    this.#host = host;
  }

  /** A worker that leaves should wait. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Throws a RefusedError. */
  ask(asked: AskedAnswer): WatchedAnswer | Response {
    const name = channelBytes(this.#host, asked.channel);
    if (asked.method === "DELETE") return this.#callOff(asked.channel, name);
    // A browser asks so before it asks in earnest, and it may cost money to begin.
    if (asked.method === "OPTIONS") return new Response(null, NO_CONTENT);
    if (asked.method === "HEAD")
      return new Response(null, { status: this.#published(name) > 0 ? 200 : 404, headers: SERVER });
    return this.#begin(asked, name) ?? this.#watch(asked, name);
  }

  /** null: it is there, or is being made. */
  #begin(
    { channel, source, position, file, lingerMs, maxBytes }: AskedAnswer,
    name: Uint8Array,
  ): Response | null {
    const { dictionaries, ingest } = this.#host;
    const claim = claimOf(channel);
    const owner = dictionaries.own.get(claim);
    if (typeof owner === "number") {
      if (ingest.store.slotOf(owner) < 0) this.#buryClaim(channel, name, owner);
      return null;
    }
    if (this.#published(name) > 0) {
      if (!ingest.store.isClustered && !this.#isOver(name)) this.#tellLater(name, RESTARTED);
      return null;
    }
    if (position !== null || source === null) return errorPage(404);
    const { bytes, usedBytes } = dictionaries.ownCounts;
    if (this.#running.size >= MOST_RUNNING || usedBytes > bytes * FULLEST || this.#host.draining)
      throw atHandler(new RefusedError(Refusals.handlersBusy));
    if (!dictionaries.own.add(claim, process.pid)) return null;
    // Somebody may have made all of it since.
    if (this.#published(name) > 0) {
      dictionaries.own.deleteIf(claim, process.pid);
      return null;
    }
    const over = (): void => this.#over(channel);
    try {
      const target = this.#open(name);
      const isWanted = (): boolean => dictionaries.own.get(claim) === process.pid;
      const making = { host: this.#host, file, target, source, lingerMs, maxBytes, isWanted, over };
      this.#running.set(channel, new RunningAnswer(making));
    } catch (error) {
      dictionaries.own.deleteIf(claim, process.pid);
      throw error;
    }
    ingest.store.count(ingest.slot, Counter.ANSWERS_MADE, 1);
    this.#tick();
    return null;
  }

  #watch({ position }: AskedAnswer, name: Uint8Array): WatchedAnswer | Response {
    const { store } = this.#host.ingest;
    const channel = this.#open(name);
    const { index } = channel;
    const newest = store.publishedCount(index);
    const place = position === null ? null : parsePosition(position, 1);
    const isOfChannel = place?.life === lifeOf(store.epoch, [name]);
    const afterId = isOfChannel ? (place.positions[0] ?? 0) - store.base(index) : -1;
    const isOurs = afterId >= 0 && afterId <= newest;
    // The browser is not to come back (HTML 9.2.3).
    if (isOurs && afterId === newest && newest > 0 && this.#isOver(name))
      return new Response(null, NO_CONTENT);
    const isForeign = position !== null && !isOurs;
    return new WatchedAnswer({ host: this.#host, channel, afterId: isOurs ? afterId : 0, isForeign });
  }

  /** Whoever makes it notices, here at once, elsewhere at its next piece or look. */
  #callOff(channel: string, name: Uint8Array): Response {
    const { own } = this.#host.dictionaries;
    const owner = own.get(claimOf(channel));
    if (typeof owner !== "number" || !own.deleteIf(claimOf(channel), owner)) return errorPage(404);
    this.#tellLater(name, "the answer was called off");
    this.#running.get(channel)?.stop(null);
    return new Response(null, NO_CONTENT);
  }

  #over(channel: string): void {
    this.#running.delete(channel);
    this.#host.dictionaries.own.deleteIf(claimOf(channel), process.pid);
  }

  #buryClaim(channel: string, name: Uint8Array, owner: number): void {
    if (this.#host.dictionaries.own.deleteIf(claimOf(channel), owner)) this.#tellLater(name, GONE);
  }

  #tellLater(name: Uint8Array, why: string): void {
    void tell(this.#host, this.#open(name), ERROR, why);
  }

  #open(name: Uint8Array): Target {
    const target = openTarget(this.#host.ingest.store, name, Date.now());
    if ("status" in target) throw atHandler(new RefusedError(target));
    return target;
  }

  /** 0: there is no such channel, or nothing in it. */
  #published(name: Uint8Array): number {
    const index = this.#host.ingest.store.find(name);
    return index < 0 ? 0 : this.#host.ingest.store.publishedCount(index);
  }

  /** Whether the newest message is a last word; so it is taken where it cannot be read any more. */
  #isOver(name: Uint8Array): boolean {
    const { store } = this.#host.ingest;
    const ref = new ChannelRef();
    const index = store.find(name, ref);
    if (index < 0) return true;
    const reader = store.reader(index, ref.incarnation, store.publishedCount(index) - 1);
    return reader.next(message, true) !== FOUND || isFinal(message);
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
    if (this.#looks % PING_EVERY === 0) for (const watcher of this.#watchers) watcher.ping();
    if (this.#running.size > 0 || this.#watchers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Those who watch are to hear of it when the worker that made it has died. */
  #lookAtOwners(): void {
    const seen = new Set<Uint8Array>();
    for (const { channel } of this.#watchers) {
      if (seen.has(channel.name)) continue;
      seen.add(channel.name);
      const text = textOf(channel.name);
      const owner = this.#host.dictionaries.own.get(claimOf(text));
      if (typeof owner === "number" && this.#host.ingest.store.slotOf(owner) < 0)
        this.#buryClaim(text, channel.name, owner);
    }
  }
}
