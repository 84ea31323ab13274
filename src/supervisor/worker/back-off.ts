/**
 * When a dead worker is started again, and when main gives up. Pure arithmetic over times handed in, used by
 * generation.ts.
 *
 * A single death costs nothing (promise P5: a new worker within a second); a worker that dies again and again
 * must neither eat the machine nor hide behind a service manager that believes all is well.
 */
export const FIRST_DELAY_MS = 100;
export const LONGEST_DELAY_MS = 5000;
/** The same where no other worker is left: an outage, not a seat less. */
export const LONGEST_OUTAGE_MS = 1000;
/** A worker that was ready for this long has shown that the earlier deaths are over. */
export const HEALTHY_MS = 10_000;
export const CRASH_LOOP_DEATHS = 10;
export const CRASH_LOOP_WINDOW_MS = 30_000;

/** Restart delays of one seat: 0, 100, 200 … 5000 ms; from the beginning again after a healthy life. */
export class BackOff {
  #nextMs = 0;

  /**
   * The wait before the next start; `readyMs` is how long the dead worker had been ready (0 = never).
   * `isLast`: nobody serves any more. Then one that was ready is followed at once, however often that
   * happens: to serve now and then is better than not to. One that never was is CrashLoop's affair in the
   * end.
   */
  delayMs(readyMs: number, isLast = false): number {
    if (readyMs >= HEALTHY_MS) this.#nextMs = 0;
    const delay = this.#nextMs;
    this.#nextMs = delay === 0 ? FIRST_DELAY_MS : Math.min(delay * 2, LONGEST_DELAY_MS);
    if (!isLast) return delay;
    return readyMs > 0 ? 0 : Math.min(delay, LONGEST_OUTAGE_MS);
  }
}

/** Counts deaths with no worker ready in between; ten within 30 s mean that starting again will not help. */
export class CrashLoop {
  #deaths: number[] = [];

  /** Notes a death at `nowMs` (any steady clock); true when the limit is reached. */
  death(nowMs: number): boolean {
    this.#deaths.push(nowMs);
    this.#deaths = this.#deaths.filter((at) => nowMs - at < CRASH_LOOP_WINDOW_MS);
    return this.#deaths.length >= CRASH_LOOP_DEATHS;
  }

  ready(): void {
    this.#deaths = [];
  }
}

/** What is told about the last of them. */
export function crashLoopFaults({
  faults,
  cause,
}: {
  readonly faults: readonly string[];
  readonly cause: string;
}): readonly string[] {
  const told = faults.length > 0 ? faults.join("; ") : cause;
  return [`workers: ${CRASH_LOOP_DEATHS} died one after the other and none became ready; the last: ${told}`];
}
