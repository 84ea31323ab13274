/**
 * The deadlines of all requests that are under way to backends, looked at twice a second: a timer for each
 * would be made and thrown away several times a request. One for a worker.
 */
export interface Dated {
  /** When it is overdue (performance.now()); Infinity while nobody can be blamed. */
  dueMs: number;
  overdue(): void;
}

const LOOK_MS = 500;
const FAST_MS = 50;

export class Watch {
  /**
   * Of the last look: near enough to know when something is over, and a system call less for each of several
   * times a request.
   */
  nowMs = performance.now();
  readonly #dated = new Set<Dated>();
  readonly #lookMs: number;
  readonly #idle: (nowMs: number) => void;
  readonly #timer: ReturnType<typeof setInterval>;

  /** `shortestMs`: of all time limits; `idle` is called with each look. */
  constructor(shortestMs: number, idle: (nowMs: number) => void) {
    this.#idle = idle;
    this.#lookMs = Math.min(LOOK_MS, Math.max(FAST_MS, shortestMs / 2));
    this.#timer = setInterval(() => this.#look(), this.#lookMs);
    this.#timer.unref();
  }

  /** Never early: the last look was up to so long ago. */
  dueIn(ms: number): number {
    return this.nowMs + ms + this.#lookMs;
  }

  add(one: Dated): void {
    this.#dated.add(one);
  }

  remove(one: Dated): void {
    this.#dated.delete(one);
  }

  #look(): void {
    const nowMs = performance.now();
    this.nowMs = nowMs;
    for (const one of this.#dated) if (one.dueMs <= nowMs) one.overdue();
    this.#idle(nowMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
