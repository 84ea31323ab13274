/**
 * The event loop of the simulated workers, in the hands of the test: what fan-out hands to setImmediate and
 * to timers is kept here and run when the program says so, in an order the seed decides. Patched globals
 * instead of an injected scheduler, so that nothing in src knows of the test. Time is a number as well:
 * looking at it lets some pass, which cuts jobs into slices.
 */
interface Task {
  readonly owner: number;
  readonly dueMs: number;
  readonly everyMs: number;
  readonly run: () => void;
}

const START_MS = 1_700_000_000_000;
const TURNS_OF_MICROTASKS = 6;

export class FakeClock {
  /** Whose code runs now: what it schedules waits while that worker is paused. */
  owner = -1;
  readonly paused = new Set<number>();
  /** How long each look at performance.now() takes; large steps make slices end. */
  lookMs = 0.001;
  #nowMs = START_MS;
  #monotonicMs = 0;
  readonly #tasks: Task[] = [];
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get nowSec(): number {
    return Math.floor(this.#nowMs / 1000);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += ms;
  }

  /** Puts itself in place of the real clock; the answer puts that back. */
  install(): () => void {
    const real = { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval };
    const dateNow = Date.now;
    const performanceNow = performance.now;
    const add = (run: () => void, delayMs: number, everyMs: number): Task => {
      const task = { owner: this.owner, dueMs: this.#monotonicMs + delayMs, everyMs, run };
      this.#tasks.push(task);
      return task;
    };
    const cancel = (task: Task) => {
      const at = this.#tasks.indexOf(task);
      if (at >= 0) this.#tasks.splice(at, 1);
    };
    Object.assign(globalThis, {
      setImmediate: (run: () => void) => add(run, 0, 0),
      setTimeout: (run: () => void, ms: number) => add(run, ms, 0),
      setInterval: (run: () => void, ms: number) => add(run, ms, ms),
      clearTimeout: cancel,
      clearInterval: cancel,
    });
    Date.now = () => this.#nowMs;
    performance.now = () => {
      this.#monotonicMs += this.lookMs;
      return this.#monotonicMs;
    };
    return () => {
      Object.assign(globalThis, real);
      Date.now = dateNow;
      performance.now = performanceNow;
    };
  }

  /** Something a worker will be told in a later turn of its loop: a bell, a closed socket. */
  later(owner: number, run: () => void): void {
    this.#tasks.push({ owner, dueMs: 0, everyMs: 0, run });
  }

  /** Runs one task that is due and whose worker is not paused; false when there is none. */
  async turn(): Promise<boolean> {
    const due = this.#tasks.filter((task) => task.dueMs <= this.#monotonicMs && !this.paused.has(task.owner));
    const task = due[this.#random(due.length)];
    if (task === undefined) return false;
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
    if (task.everyMs > 0) this.#tasks.push({ ...task, dueMs: this.#monotonicMs + task.everyMs });
    await this.as(task.owner, task.run);
    return true;
  }

  /** Runs code as a worker, with the microtasks that follow it. */
  async as(owner: number, run: () => void): Promise<void> {
    this.owner = owner;
    run();
    for (let turn = 0; turn < TURNS_OF_MICROTASKS; turn++) await undefined;
    this.owner = -1;
  }

  /** What is left to run besides the intervals. */
  get waiting(): number {
    return this.#tasks.filter((task) => task.everyMs === 0).length;
  }

  get intervals(): number {
    return this.#tasks.length - this.waiting;
  }
}
