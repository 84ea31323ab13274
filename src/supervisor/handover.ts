/**
 * Takes new connections away from workers that are to go, and lets those close their sockets when nobody waits there any more: a reload
 * resets no connection. Used by supervisor.ts, for a whole generation and for a worker that somebody told to leave.
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
 * Where the kernel takes no program, they empty their queues all the same, and what comes between the last look and the close is lost.
 */
import type { Drain } from "../app.ts";
import { log } from "../log.ts";
import { type Member, SocketGroups, type Steering } from "./socket-groups.ts";

/** A worker process, as far as it matters here. All promises end with the process. */
export interface Handed extends Member {
  readonly isReady: boolean;
  readonly quiet: Promise<void>;
  readonly deaf: Promise<void>;
  /** What could not be done; null: nothing. */
  steer(steering: readonly Steering[]): Promise<string | null>;
  drain(how: Drain, awaitsWord: boolean): void;
  close(again: boolean): void;
}

/** Longer than a worker takes to become quiet: one that stands still must not keep the others. */
const QUIET_MS = 4000;
const CLOSE_MS = 3000;

/** One at a time: the next waits. */
export class Handover {
  readonly #groups = new SocketGroups();
  #leaving: readonly Handed[] = [];
  #staying: () => readonly Handed[] = () => [];
  #state: "idle" | "steering" | "closing" = "idle";
  #asking: Promise<unknown> = Promise.resolve();
  /** Nobody could take the program off. */
  #isLeftOn = false;
  #hasWarned = false;
  #over: PromiseWithResolvers<void> | null = null;

  /** New connections go to those that stay, from when it resolves on. */
  async steer(leaving: readonly Handed[], staying: () => readonly Handed[]): Promise<void> {
    while (this.#over !== null) await this.#over.promise;
    this.#over = Promise.withResolvers<void>();
    this.#leaving = leaving;
    this.#staying = staying;
    this.#state = "steering";
    this.#groups.look();
    const steering = this.#groups.between(this.#ready(), leaving);
    if (steering.length > 0) await this.#ask(steering);
    else if (meet(this.#ready(), leaving)) this.#warn("it does not tell who listens");
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
    if (this.#state === "steering") void this.#ask(this.#groups.between(this.#ready(), this.#leaving));
    else if (this.#state === "idle" && this.#isLeftOn) void this.#takeOff();
  }

  /** Those that leave were told to. Resolves when they listen no more. */
  async release(): Promise<void> {
    await within(QUIET_MS, Promise.all(this.#leaving.map(({ quiet }) => quiet)));
    this.#state = "closing";
    let left = this.#leaving;
    let again = false;
    for (;;) {
      this.#groups.look();
      const next = this.#groups.next(left, this.#ready());
      if (next === null) break;
      await this.#ask(next.steering);
      next.member.close(again);
      await within(CLOSE_MS, next.member.deaf);
      left = left.filter((each) => each !== next.member);
      if (next.hasGap && left.length > 0) {
        this.#groups.look();
        await this.#ask(this.#groups.between(this.#ready(), left));
        again = true;
      }
    }
    // One that stands still is ended by its drain's limit.
    await Promise.all(this.#leaving.map(({ deaf }) => deaf));
    await this.#takeOff();
    this.#state = "idle";
    this.#over?.resolve();
    this.#over = null;
  }

  async #takeOff(): Promise<void> {
    this.#groups.look();
    this.#isLeftOn = false;
    this.#isLeftOn = !(await this.#ask(this.#groups.free(this.#ready())));
  }

  /** In order. Whether it was done. */
  #ask(steering: readonly Steering[]): Promise<boolean> {
    const asked = this.#asking.then(() => this.#askSomebody(steering));
    this.#asking = asked;
    return asked;
  }

  async #askSomebody(steering: readonly Steering[]): Promise<boolean> {
    if (steering.length === 0) return true;
    let fault: string | null = "no worker is ready";
    for (const worker of this.#ready()) {
      fault = await worker.steer(steering);
      if (fault === null) return true;
    }
    this.#warn(fault ?? "");
    return false;
  }

  #warn(fault: string): void {
    if (!this.#hasWarned)
      log("warn", "the kernel does not let new connections be steered; a reload may reset some", { fault });
    this.#hasWarned = true;
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

const within = (ms: number, work: Promise<unknown>): Promise<unknown> => Promise.race([work, Bun.sleep(ms)]);
