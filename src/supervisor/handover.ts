/**
 * Takes new connections away from workers that are to go, and lets those close their sockets when nobody
 * waits there any more: a reload resets no connection. Used by supervisor.ts, for a whole generation and for
 * a worker that somebody told to leave.
 *
 *   main                         one that stays            those that leave
 *   steer() ── steer ──────────► program on the group
 *   (drain) ────────────────────────────────────────────► answers end connections, queues empty
 *   release() ◄───────────────────────────────────── quiet
 *       ├─── steer, not the place that is about to change ►
 *       ├─── close ──────────────────────────────────────► one of them, after a last look at its queue
 *       │ ◄─────────────────────────────────────────── deaf     … one after the other
 *       └─── steer nowhere ─────► program taken off
 *
 * Where the kernel takes no program, they empty their queues all the same, and what comes between the last
 * look and the close is lost.
 */
import type { Drain } from "../app/running-worker.ts";
import { log } from "../log.ts";
import { type Member, SocketGroups, type Steering } from "./sockets/socket-groups.ts";
import { REFUSED } from "./sockets/steering.ts";
import { STUCK_MS } from "./worker/pulse-watch.ts";

/** A worker process, as far as it matters here. All promises end with the process. */
export interface Handed extends Member {
  readonly isReady: boolean;
  readonly quiet: Promise<void>;
  readonly deaf: Promise<void>;
  /** What could not be done; null: nothing. */
  steer(steering: readonly Steering[], untilMs: number): Promise<string | null>;
  drain(how: Drain, awaitsWord: boolean): void;
  close(again: boolean): void;
}

/**
 * For how long a worker is waited for that lives and says nothing: to answer, to become quiet, to close. To
 * wait costs nothing (until there is an answer, everybody serves as before) and to go on without one costs
 * connections, so it is longer than main lets an event loop stand still (pulse-watch.ts): what ends a wait is
 * an answer or a death, on a machine that is starved of CPU, too.
 */
const PATIENCE_MS = 2 * STUCK_MS;
const ROUNDS = 3;

const NO_STEERING = "the kernel does not let new connections be steered; a reload may reset some";
const NO_ANSWER = "no worker followed main's order in time; this reload may reset some connections";

/** One at a time: the next waits. */
export class Handover {
  readonly #groups: SocketGroups;
  #leaving: readonly Handed[] = [];
  #staying: () => readonly Handed[] = () => [];
  #state: "idle" | "steering" | "closing" = "idle";
  #asking: Promise<unknown> = Promise.resolve();
  /** Nobody could take the program off. */
  #isLeftOn = false;
  readonly #warned = new Set<string>();
  readonly #patienceMs: number;
  #over: PromiseWithResolvers<void> | null = null;

  constructor(groups = new SocketGroups(), patienceMs = PATIENCE_MS) {
    this.#groups = groups;
    this.#patienceMs = patienceMs;
  }

  /** New connections go to those that stay, from when it resolves on. */
  async steer(leaving: readonly Handed[], staying: () => readonly Handed[]): Promise<void> {
    while (this.#over !== null) await this.#over.promise;
    this.#over = Promise.withResolvers<void>();
    this.#leaving = leaving;
    this.#staying = staying;
    this.#state = "steering";
    // The next one may be better off.
    this.#warned.delete(NO_ANSWER);
    if (!(await this.#steerPast(leaving)) && meet(this.#ready(), leaving))
      this.#warn(NO_STEERING, "it does not tell who listens");
  }

  /** For a worker that leaves alone. */
  async letGo(worker: Handed, others: () => readonly Handed[], how: Drain): Promise<void> {
    await this.steer([worker], others);
    worker.drain(how, true);
    await this.release();
  }

  /** A worker came or went: places have changed. */
  look({ sockets }: Member): void {
    this.#groups.know(sockets);
    this.#groups.look();
    if (this.#state === "steering") void this.#steerPast(this.#leaving);
    else if (this.#state === "idle" && this.#isLeftOn) void this.#takeOff();
  }

  /** Those that leave were told to. Resolves when they listen no more. */
  async release(): Promise<void> {
    await this.#within(Promise.all(this.#leaving.map(({ quiet }) => quiet)));
    await this.#closeAll();
    // One that stands still listens until its drain's limit ends it.
    this.#state = "steering";
    await this.#steerPast(this.#leaving);
    await Promise.all(this.#leaving.map(({ deaf }) => deaf));
    await this.#takeOff();
    this.#state = "idle";
    this.#over?.resolve();
    this.#over = null;
  }

  /** One after the other: how they stand is known after each. */
  async #closeAll(): Promise<void> {
    this.#state = "closing";
    let left = this.#leaving;
    for (let again = false; ; ) {
      this.#groups.look();
      const next = this.#groups.next(left, this.#ready());
      if (next === null) return;
      // Who leaves has time: nobody comes to him any more.
      await this.#ask(next.steering, () => [...left, ...this.#ready()]);
      next.member.close(again);
      await this.#within(next.member.deaf);
      left = left.filter((each) => each !== next.member);
      if (next.hasGap) await this.#steerPast(left);
      again ||= next.hasGap;
    }
  }

  /** False where they meet nowhere. */
  async #steerPast(leaving: readonly Handed[]): Promise<boolean> {
    this.#groups.look();
    const steering = this.#groups.between(this.#ready(), leaving);
    await this.#ask(steering, () => [...this.#ready(), ...leaving]);
    return steering.length > 0;
  }

  async #takeOff(): Promise<void> {
    this.#isLeftOn = false;
    this.#isLeftOn = !(await this.#ask(this.#groups.free(this.#ready()), () => this.#ready()));
  }

  /** In order: one of `workers`, which are in the groups. Whether it was done. */
  #ask(steering: readonly Steering[], workers: () => readonly Handed[]): Promise<boolean> {
    const asked = this.#asking.then(() => this.#askSomebody(steering, workers));
    this.#asking = asked;
    return asked;
  }

  async #askSomebody(steering: readonly Steering[], workers: () => readonly Handed[]): Promise<boolean> {
    if (steering.length === 0) return true;
    let fault: string | null = "no worker is ready";
    for (let round = 0; round < ROUNDS && fault !== REFUSED; round++) {
      for (const worker of workers().filter(({ isReady }) => isReady)) {
        const answer = worker.steer(steering, Date.now() + this.#patienceMs);
        fault = await Promise.race([answer, this.#noAnswer()]);
        if (fault === null) return true;
      }
    }
    this.#warn(fault === REFUSED ? NO_STEERING : NO_ANSWER, fault ?? "");
    return false;
  }

  #warn(sentence: string, fault: string): void {
    if (!this.#warned.has(sentence)) log("warn", sentence, { fault });
    this.#warned.add(sentence);
  }

  #noAnswer(): Promise<string> {
    return Bun.sleep(this.#patienceMs).then(() => "a worker does not answer");
  }

  #within(work: Promise<unknown>): Promise<unknown> {
    return Promise.race([work, Bun.sleep(this.#patienceMs)]);
  }

  #ready(): readonly Handed[] {
    return this.#staying().filter(({ isReady }) => isReady);
  }
}

/** Whether they listen in the same place. */
const meet = (some: readonly Member[], others: readonly Member[]): boolean => {
  const locals = (members: readonly Member[]) =>
    new Set(members.flatMap(({ sockets }) => sockets.map(({ local }) => local)));
  return !locals(some).isDisjointFrom(locals(others));
};
