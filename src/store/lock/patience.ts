/**
 * Waiting for the store's lock beside the event loop, for requests that were told BUSY: its owner stands
 * still, or main repairs what one left. Both are over within a second or two, so most of these requests are
 * late instead of refused; what is held for them is bounded, and whoever does not fit is refused at once. One
 * a worker, made by Store.
 *
 * A timer that looks, because nobody rings when a lock comes free: ringing would cost every publish of a
 * healthy day.
 */
import type { Arena } from "../memory/arena.ts";
import { lockOwner } from "./lock.ts";

const LOOK_MS = 5;
/** Publishers are answered within three seconds, whatever happens. */
export const LONGEST_WAIT_MS = 2000;
export const MAX_WAITING = 1024;
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;

interface Waiter {
  readonly untilMs: number;
  readonly bytes: number;
  readonly resolve: (isFree: boolean) => void;
}

export class Patience {
  readonly #arena: Arena;
  /** Until when each asker has patience: the time begins with its first wait. */
  readonly #untilMs = new WeakMap<object, number>();
  #waiting: Waiter[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * True when the lock was seen free: try again. False: it is time to refuse. `bytes` are held in memory
   * meanwhile.
   */
  free(asker: object, bytes = 0): Promise<boolean> {
    const nowMs = performance.now();
    const untilMs = this.#untilMs.get(asker) ?? nowMs + LONGEST_WAIT_MS;
    this.#untilMs.set(asker, untilMs);
    const hasRoom = this.#waiting.length < MAX_WAITING && this.#bytes + bytes <= MAX_WAITING_BYTES;
    if (nowMs >= untilMs || !hasRoom) return Promise.resolve(false);
    this.#bytes += bytes;
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return new Promise((resolve) => this.#waiting.push({ untilMs, bytes, resolve }));
  }

  /** Everybody at once: with the lock free, each takes a microsecond. */
  #look(): void {
    const isFree = lockOwner(this.#arena) === 0;
    const nowMs = performance.now();
    const left: Waiter[] = [];
    for (const waiter of this.#waiting) {
      if (isFree || nowMs >= waiter.untilMs) {
        this.#bytes -= waiter.bytes;
        waiter.resolve(isFree);
      } else left.push(waiter);
    }
    this.#waiting = left;
    if (left.length > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
