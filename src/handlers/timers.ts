/**
 * `export const every = { "30s": async (context) => … }` of handler files: run by one worker of the machine,
 * the one that has the lease. At the multiples of the interval on the clock, so that nothing has to be
 * remembered when another worker goes on with it.
 *
 * Never twice at once: a run that has not ended, though its time is over, keeps the next ones from beginning,
 * and its worker keeps the lease. A worker that dies or stands still is ended and given up by main, slot and
 * all (supervisor/worker/pulse-watch.ts); only then does another take over.
 */

import { log } from "../log.ts";
import { Counter } from "../store/counters.ts";
import type { HandlerHost } from "./host.ts";
import type { Every } from "./intervals.ts";
import type { HandlerFile } from "./loader.ts";
import type { TimerTurn } from "./timer-turn.ts";

const LEASE = "timers";

export class Timers {
  readonly #host: HandlerHost;
  readonly #timers = new Set<FileTimer>();

  readonly #turn: TimerTurn;

  constructor(host: HandlerHost, turn: TimerTurn) {
    this.#host = host;
    this.#turn = turn;
  }

  /** Begins when the files are loaded. `limitMs`: of a run, by path of the file. */
  start(files: Iterable<HandlerFile>, limitMs: (path: string) => number): void {
    for (const file of files) {
      void file.settled.then(() => {
        for (const every of file.module?.every ?? []) this.#add(file, every, limitMs(file.path));
      });
    }
  }

  #add(file: HandlerFile, every: Every, limitMs: number): void {
    if (this.#host.draining) return;
    this.#timers.add(new FileTimer(this.#host, this.#turn, file, every, limitMs, () => this.#gaveUp()));
  }

  /**
   * The worker leaves: nothing begins any more, and whoever comes next may have the lease once nothing runs.
   */
  leave(): void {
    for (const timer of this.#timers) timer.stop();
    this.#gaveUp();
  }

  #gaveUp(): void {
    if (this.#timers.size === 0 || !this.#host.draining) return;
    if ([...this.#timers].some(({ isRunning }) => isRunning)) return;
    this.#timers.clear();
    this.#turn.stop();
    try {
      this.#host.dictionaries.own.deleteIf(LEASE, process.pid);
    } catch (error) {
      // It ends with this worker's slot.
      log("debug", "the lease of the timers could not be given back", { error: String(error) });
    }
  }
}

/** Whether this worker has the lease, now or since before. */
function hasLease({ dictionaries, ingest: { store } }: HandlerHost): boolean {
  const { own } = dictionaries;
  const owner = own.get(LEASE);
  if (owner === process.pid) return true;
  if (typeof owner === "number" && (store.workers.slotOf(owner) >= 0 || !own.deleteIf(LEASE, owner)))
    return false;
  return own.add(LEASE, process.pid);
}

class FileTimer {
  readonly #host: HandlerHost;
  readonly #turn: TimerTurn;
  readonly #file: HandlerFile;
  readonly #every: Every;
  readonly #limitMs: number;
  readonly #settled: () => void;
  #dueMs = 0;
  #timer: Timer | null = null;
  isRunning = false;

  constructor(
    host: HandlerHost,
    turn: TimerTurn,
    file: HandlerFile,
    every: Every,
    limitMs: number,
    settled: () => void,
  ) {
    this.#host = host;
    this.#turn = turn;
    this.#file = file;
    this.#every = every;
    this.#limitMs = limitMs;
    this.#settled = settled;
    this.#schedule(Date.now());
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #schedule(fromMs: number): void {
    const { intervalMs } = this.#every;
    this.#dueMs = (Math.floor(fromMs / intervalMs) + 1) * intervalMs;
    this.#wait();
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, this.#dueMs - Date.now()));
  }

  #fire(): void {
    const nowMs = Date.now();
    // A little early, or the clock was set back by less than a turn.
    if (nowMs < this.#dueMs && this.#dueMs - nowMs <= this.#every.intervalMs) {
      this.#wait();
      return;
    }
    this.#schedule(nowMs);
    let isOurs: boolean;
    try {
      isOurs = hasLease(this.#host);
    } catch (error) {
      log("warn", "a timer was passed over: whose turn it is could not be found out", {
        error: String(error),
      });
      return;
    }
    if (isOurs) this.#run();
  }

  #run(): void {
    const { store, slot } = this.#host.ingest;
    const what = `every ${this.#every.text}`;
    if (this.isRunning) {
      store.counters.add(slot, Counter.TIMERS_SKIPPED, 1);
      log("warn", `${what} was passed over: the run before it has not ended`, { file: this.#file.path });
      return;
    }
    this.isRunning = true;
    void this.#runInTurn(what);
  }

  async #runInTurn(what: string): Promise<void> {
    const { store, slot } = this.#host.ingest;
    if (!(await this.#turn.mayBegin()) || this.#host.draining) {
      this.#over();
      return;
    }
    store.counters.add(slot, Counter.TIMERS_RUN, 1);
    this.#turn.began();
    const settled = (): void => {
      this.#turn.ended();
      this.#over();
    };
    const { path } = this.#file;
    const outcome = await this.#host.tasks.run(path, what, this.#every.run, this.#limitMs, settled);
    if (outcome !== "done") store.counters.add(slot, Counter.TIMERS_FAILED, 1);
  }

  #over(): void {
    this.isRunning = false;
    this.#settled();
  }
}
