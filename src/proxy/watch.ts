/**
 * The deadlines of all requests that are under way to backends, looked at twice a second: a timer for each would be made and thrown away
 * several times a request. One for a worker.
 */
export interface Dated {
  /** When it is overdue (performance.now()); Infinity while nobody can be blamed. */
  dueMs: number;
  overdue(): void;
}

const LOOK_MS = 500;
const FAST_MS = 50;

export class Watch {
  readonly #dated = new Set<Dated>();
  readonly #idle: (nowMs: number) => void;
  readonly #timer: ReturnType<typeof setInterval>;

  /** `shortestMs`: of all time limits; `idle` is called with each look. */
  constructor(shortestMs: number, idle: (nowMs: number) => void) {
    this.#idle = idle;
    this.#timer = setInterval(() => this.#look(), Math.min(LOOK_MS, Math.max(FAST_MS, shortestMs / 2)));
    this.#timer.unref();
  }

  add(one: Dated): void {
    this.#dated.add(one);
  }

  remove(one: Dated): void {
    this.#dated.delete(one);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const one of this.#dated) if (one.dueMs <= nowMs) one.overdue();
    this.#idle(nowMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
