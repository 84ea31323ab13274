/**
 * The workers of one configuration: N seats, each with a process that is started again when it dies. The
 * supervisor has one generation, and for the time of a reload two.
 *
 *   boot() ─► start() ─► serving ─► drain(), or quit() and perhaps drain() ─► gone
 *                │          └ a death: start again when BackOff says; repair the store, give its slot back
 *                └ a worker that says why it cannot start, or a crash loop: the start fails
 */
import type { Drain } from "../app/running-worker.ts";
import { log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { drainLimits, seatDrainOf } from "./drain-settings.ts";
import type { GenerationPlan, Seat, StartOutcome } from "./generation-plan.ts";
import { publishSockets, removeOwnSockets, shareOf } from "./sockets/addresses.ts";
import { BackOff, CrashLoop, crashLoopFaults } from "./worker/back-off.ts";
import { PulseWatch, RollCall } from "./worker/pulse-watch.ts";
import { type WorkerExit, type WorkerListener, WorkerProcess } from "./worker/worker-process.ts";

type Phase = "booting" | "starting" | "serving" | "quitting" | "draining";

export class Generation implements WorkerListener {
  readonly plan: GenerationPlan;
  #seats: readonly Seat[];
  #phase: Phase = "booting";
  #store: Store | null = null;
  #storePath = "";
  #crashes = new CrashLoop();
  readonly #pulses: PulseWatch;
  readonly #roll: RollCall;
  #started = Promise.withResolvers<StartOutcome>();
  #gone = Promise.withResolvers<void>();

  constructor(plan: GenerationPlan) {
    this.plan = plan;
    this.#pulses = new PulseWatch(plan.stuckMs);
    this.#roll = new RollCall(plan.workers);
    this.#seats = Array.from({ length: plan.workers }, (_, number) => {
      return { number, backOff: new BackOff(), worker: null, restart: null, died: 0 };
    });
  }

  /** Starts the processes, which load and wait; `start` gives them work. */
  boot(): void {
    for (const seat of this.#seats) this.#launch(seat);
  }

  /**
   * Lets the workers serve from `store`. Resolves when every seat is ready, or with the reasons why that will
   * not be.
   */
  start(store: Store, storePath: string): Promise<StartOutcome> {
    if (this.#phase !== "booting") return this.#started.promise;
    this.#phase = "starting";
    this.#store = store;
    this.#storePath = storePath;
    for (const seat of this.#seats) this.#begin(seat);
    return this.#started.promise;
  }

  /**
   * Asks every worker to finish, kills at the deadline what did not, resolves when all are gone and accounted
   * for. `perSecond`: at which rate all of them together send their subscribers away. `awaitsWord`: they keep
   * their sockets until they are told (handover.ts).
   */
  drain({ deadlineMs, perSecond, isReload }: Drain, awaitsWord = false): Promise<void> {
    const { killAfterMs, workerMs } = drainLimits(deadlineMs);
    this.#leave();
    const how = { deadlineMs: workerMs, perSecond: perSecond / this.plan.workers, isReload };
    this.#eachAtWork((worker) => worker.drain(how, awaitsWord));
    const kill = setTimeout(() => this.#kill("did not finish in time"), killAfterMs);
    return this.#gone.promise.finally(() => clearTimeout(kill));
  }

  /**
   * Lets every worker finish in its own time: nothing new is taken, what is held stays until its timer is
   * due. Resolves when all are gone, which may take as long as a client likes; a drain or a kill meanwhile
   * ends it.
   */
  quit(): Promise<void> {
    if (!this.#isLeaving) {
      this.#leave("quitting");
      this.#eachAtWork((worker) => worker.quit());
    }
    return this.#gone.promise;
  }

  reopenLogs(): void {
    for (const { worker } of this.#seats) worker?.reopenLogs();
  }

  /** Ends every worker at once; `why` completes "worker …" in the log. Resolves when they are gone. */
  kill(why: string): Promise<void> {
    this.#leave();
    this.#kill(why);
    return this.#gone.promise;
  }

  /** Looks for workers whose event loop stands still. Called about once a second by the supervisor. */
  watch(): void {
    const store = this.#store;
    if (store === null || this.#phase === "draining") return;
    for (const { worker, number } of this.#seats) {
      if (worker === null) continue;
      const fault = this.#pulses.faultOf(worker, store.counters);
      if (fault !== null) worker.kill(fault);
      else if (worker.isReady) this.#roll.answers(number);
    }
  }

  /** Every worker answers, or is being replaced, or nobody expects it to. */
  get isWell(): boolean {
    return this.#isLeaving || this.#roll.isComplete();
  }

  get workers(): readonly WorkerProcess[] {
    return this.#seats.flatMap(({ worker }) => (worker === null ? [] : [worker]));
  }

  leaving(worker: WorkerProcess): void {
    if (this.#isLeaving) return;
    const others = () => this.workers.filter((each) => each !== worker);
    this.plan.onLeaving(worker, others, seatDrainOf(this.plan.config, this.plan.workers));
  }

  ready(worker: WorkerProcess): void {
    this.plan.onChange(worker);
    const seat = this.#seatOf(worker);
    if (seat === null || this.#isLeaving) return;
    this.#crashes.ready();
    this.#tellReady(seat, worker);
    if (this.#phase === "starting") {
      if (this.#seats.every((each) => each.worker?.isReady === true)) this.#serve();
    } else if (seat.number === 0) {
      const fault = this.#publishSockets();
      if (fault !== null) worker.kill(fault);
    }
  }

  exited(worker: WorkerProcess, exit: WorkerExit): void {
    const seat = this.#seatOf(worker);
    if (seat === null) return;
    seat.worker = null;
    this.#pulses.forget(worker);
    this.plan.onChange(worker);
    // The next one loads its code while the store is looked after.
    if (!this.#isLeaving) this.#afterDeath(seat, exit);
    if (this.#store !== null) this.plan.reclaim(exit.pid, exit.slot);
    if (seat.number === 0 && exit.slot >= 0) removeOwnSockets(this.plan.config.listen, exit.slot);
    if (this.#isLeaving) this.#noteGone();
    else this.#begin(seat);
  }

  /** Ends one of its workers at once; false when the process is none of them. */
  end(pid: number, why: string): boolean {
    const worker = this.#seats.find((seat) => seat.worker?.pid === pid)?.worker ?? null;
    worker?.kill(why);
    return worker !== null;
  }

  #tellReady(seat: Seat, { slot, pid }: WorkerProcess): void {
    if (seat.died === 0) log("debug", "worker ready", { slot, pid });
    else {
      log("warn", "worker replaced", { slot, pid, died: seat.died });
      this.#store?.workers.countReplaced();
    }
    seat.died = 0;
  }

  get #isLeaving(): boolean {
    return this.#phase === "quitting" || this.#phase === "draining";
  }

  /** Those with something to finish; the others end at once. */
  #eachAtWork(finish: (worker: WorkerProcess) => void): void {
    for (const { worker } of this.#seats) {
      if (worker === null) continue;
      if (worker.slot < 0) worker.kill();
      else finish(worker);
    }
  }

  #serve(): void {
    const fault = this.#publishSockets();
    if (fault === null) this.#phase = "serving";
    this.#started.resolve(fault === null ? { ok: true } : { ok: false, faults: [fault] });
  }

  #publishSockets(): string | null {
    const owner = this.#seats[0]?.worker;
    try {
      if (owner) publishSockets(this.plan.config.listen, owner.slot);
      return null;
    } catch (error) {
      return `listen: ${(error as Error).message}`;
    }
  }

  #afterDeath(seat: Seat, exit: WorkerExit): void {
    const fields = { slot: exit.slot, pid: exit.pid, cause: exit.cause };
    seat.died ||= exit.pid;
    log("error", `worker died${exit.faults.length > 0 ? `: ${exit.faults.join("; ")}` : ""}`, fields);
    const nobodyReady = this.#seats.every((each) => each.worker?.isReady !== true);
    // A worker that could say why it cannot start would say the same again.
    if (this.#phase === "starting" && exit.faults.length > 0) this.#giveUp(exit.faults);
    else if (nobodyReady && this.#crashes.death(performance.now())) this.#giveUp(crashLoopFaults(exit));
    else this.#launchAfter(seat, exit);
  }

  #launchAfter(seat: Seat, { readyMs }: WorkerExit): void {
    const isLast = this.#seats.every(({ worker }) => worker === null);
    const delayMs = seat.backOff.delayMs(readyMs, isLast);
    if (delayMs === 0) {
      this.#launch(seat);
      return;
    }
    seat.restart = setTimeout(() => {
      this.#launch(seat);
      this.#begin(seat);
    }, delayMs);
  }

  #giveUp(faults: readonly string[]): void {
    const serving = this.#phase === "serving";
    this.#started.resolve({ ok: false, faults }); // while serving it has long been resolved
    this.#leave();
    if (serving) this.plan.onCrashLoop(faults);
  }

  #launch(seat: Seat): void {
    seat.restart = null;
    try {
      seat.worker = new WorkerProcess(this.plan.lockDescriptor, this);
    } catch (error) {
      const cause = `cannot be started: ${(error as Error).message}`;
      this.#afterDeath(seat, { pid: 0, slot: -1, cause, faults: [], readyMs: 0 });
    }
  }

  /** Gives the seat's worker a slot and its work, once there is a store. */
  #begin(seat: Seat): void {
    const { worker } = seat;
    if (worker === null || worker.slot >= 0 || this.#store === null) return;
    const slot = this.#store.workers.claimSlot(worker.pid, Math.floor(Date.now() / 1000));
    if (slot < 0) {
      worker.kill("no worker slot is free in the store");
      return;
    }
    const { config, number: generation } = this.plan;
    if (seat.number === 0) removeOwnSockets(config.listen, slot);
    const share = shareOf(config, seat.number, slot);
    worker.start({ kind: "start", config: share, storePath: this.#storePath, slot, generation });
  }

  #leave(phase: "quitting" | "draining" = "draining"): void {
    this.#phase = phase;
    for (const seat of this.#seats) {
      if (seat.restart !== null) clearTimeout(seat.restart);
      seat.restart = null;
    }
    this.#started.resolve({ ok: false, faults: ["stopped before all workers were ready"] });
    this.#noteGone();
  }

  #noteGone(): void {
    if (this.#seats.every((seat) => seat.worker === null)) this.#gone.resolve();
  }

  #kill(why: string): void {
    for (const { worker } of this.#seats) {
      if (worker === null) continue;
      log("warn", `worker ${why}; killing it`, { slot: worker.slot, pid: worker.pid });
      worker.kill();
    }
  }

  #seatOf(worker: WorkerProcess): Seat | null {
    return this.#seats.find((seat) => seat.worker === worker) ?? null;
  }
}
