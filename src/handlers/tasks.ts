/**
 * Code of handlers that runs for no request: timers (timers.ts) and what `context.after` put off. Each run
 * has a context of its own, a time limit, and a line in the log when it fails. One a worker, in HandlerHost.
 *
 * A worker that leaves does not forget what was put off: it is run at once, with a `signal` that has aborted,
 * and the drain waits a little for it.
 */
import type { TaskContext } from "sluice";
import { Refusals } from "../http/errors.ts";
import { Ending } from "./ending.ts";
import { atHandler, isPromise, logFailure, TooLate, within } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { RefusedError } from "./refused-error.ts";
import { Task } from "./task.ts";

export type Work = (context: TaskContext) => unknown;

/** Of what is put off. */
const TIME_LIMIT_MS = 30_000;
const MOST_PENDING = 10_000;
const LONGEST_MS = 0x7fffffff;
/** How long the last runs keep a worker that leaves. */
const LAST_WORDS_MS = 5000;

export type Outcome = "done" | "failed" | "late";

export class Tasks {
  readonly #host: HandlerHost;
  readonly #pending = new Map<Timer, () => void>();
  #running = 0;
  #leftMs = Number.POSITIVE_INFINITY;

  constructor(host: HandlerHost) {
    this.#host = host;
  }

  /** A worker that leaves should wait. */
  get isBusy(): boolean {
    return this.#running > 0 && performance.now() < this.#leftMs + LAST_WORDS_MS;
  }

  /**
   * Never rejects. "late": the time limit is over, and it may still run; `settled` is called when it does not
   * any more.
   */
  async run(
    file: string,
    what: string,
    work: Work,
    limitMs: number,
    settled: () => void = () => undefined,
  ): Promise<Outcome> {
    const task = new Task(this.#host, file);
    const running = { goAway: () => task.finish(Ending.draining) };
    this.#running++;
    this.#host.add(running);
    // It knows from the beginning.
    if (this.#host.draining) task.finish(Ending.draining);
    const over = (): void => {
      this.#running--;
      this.#host.remove(running);
      settled();
    };
    let returned: unknown;
    try {
      returned = work(task);
      if (isPromise(returned)) await within(returned, limitMs);
    } catch (error) {
      task.finish(error instanceof TooLate ? Ending.tooLate : Ending.done);
      if (error instanceof TooLate && isPromise(returned)) returned.then(over, over);
      else over();
      if (error instanceof TooLate || !task.isEnding(error)) logFailure({ file, what }, error);
      return error instanceof TooLate ? "late" : "failed";
    }
    task.finish(Ending.done);
    over();
    return "done";
  }

  /** The answer calls it off. */
  after(file: string, ms: number, work: Work): () => void {
    if (typeof work !== "function") throw atHandler(new TypeError("what is put off is a function"));
    if (!(ms >= 0)) throw atHandler(new RangeError("it is put off by 0 ms or more"));
    if (this.#pending.size >= MOST_PENDING) throw atHandler(new RefusedError(Refusals.handlersBusy));
    const run = (): void => {
      this.#pending.delete(timer);
      void this.run(file, "after", work, TIME_LIMIT_MS);
    };
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS));
    this.#pending.set(timer, run);
    // The drain has run all that was there.
    if (this.#host.draining) queueMicrotask(() => this.leave());
    return () => {
      clearTimeout(timer);
      this.#pending.delete(timer);
    };
  }

  /** The worker leaves. */
  leave(): void {
    this.#leftMs = Math.min(this.#leftMs, performance.now());
    for (const [timer, run] of [...this.#pending]) {
      clearTimeout(timer);
      run();
    }
  }
}
