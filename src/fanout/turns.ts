/**
 * Work that is done in pieces, so that whoever asks for much keeps nobody else waiting: replays, polls of a
 * long backlog, searches. One list for the whole worker, worked off in order for at most a slice of each
 * event-loop turn; without it fifty such requests, each well-behaved alone, would hold a turn for fifty
 * slices.
 *
 * What is short is done at once, as long as the turn has time left for it: of a crowd that comes back in one
 * turn most wait for the next ones.
 */

/** How long a turn may go on with it. */
const SLICE_MS = 2;
/** When to look again at something that stands in the middle of another process's change. */
const PAUSE_MS = 2;

export class Turns {
  readonly #waiting = new Map<object, () => void>();
  #scheduled = false;
  /** Of this turn, on what was done at once. */
  #spentMs = 0;
  readonly #beforeWork: () => void;

  /** `beforeWork`: as in FanoutOptions. */
  constructor(beforeWork: () => void = () => undefined) {
    this.#beforeWork = beforeWork;
  }

  /** Something may be done at once; else `later`. */
  get hasTime(): boolean {
    return this.#spentMs < SLICE_MS;
  }

  /** At once, and out of this turn's time. */
  now(goOn: () => void): void {
    this.#beforeWork();
    const sinceMs = performance.now();
    goOn();
    this.#spentMs += performance.now() - sinceMs;
    // With the next turn there is time again.
    if (!this.hasTime) this.#schedule();
  }

  /** Calls `goOn` in a later turn, once for each `owner`. */
  later(owner: object, goOn: () => void): void {
    this.#waiting.set(owner, goOn);
    this.#schedule();
  }

  /** The same, after a short pause. */
  soon(owner: object, goOn: () => void): void {
    setTimeout(() => this.later(owner, goOn), PAUSE_MS);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    this.#spentMs = 0;
    this.#beforeWork();
    const endMs = performance.now() + SLICE_MS;
    let left = this.#waiting.size;
    for (const [owner, goOn] of this.#waiting) {
      this.#waiting.delete(owner);
      goOn();
      // Whoever asked again stands at the end, and has his next turn in the next one.
      if (--left <= 0 || performance.now() > endMs) break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}
