/**
 * Every held connection of the worker, each once, by when something is due of it: pings, the end of its life,
 * long-poll timeouts. One coarse tick serves all, because a native timer each would cost memory per idle
 * subscriber and a wake-up per ping.
 *
 *   slot:  0   1   2   3  …  511        one tick = 50 ms, one turn of the wheel = 25.6 s
 *          │   └─ held ⇄ held ⇄ held        (a ring; one that is due later than one turn waits for its round)
 *          ▲ now
 *
 * Those of whom nothing is due stand in a ring beside the slots. So the wheel is also how all of them are
 * found (hub.ts): a list of its own would be 16 bytes for each of ten thousand.
 *
 * What is due comes late by up to a tick and never early. Adding and removing are O(1).
 */
import type { Farewell } from "./farewell.ts";

const TICK_MS = 50;
const SLOTS = 512;
/** Of those of whom nothing is due; no slot's. */
const NEVER = 0;

/**
 * A held connection carries its own links, so that it is one object and not three; they are kept by the
 * wheel.
 */
export interface Held {
  /** null: it is not held, or no longer. */
  nextHeld: Held | null;
  previousHeld: Held | null;
  dueTick: number;
  /** It is due, and is held without a time from here on, until it is given another. */
  fire(): void;
  /** The bytes of push-stream spec 8.2, then gone. null: it ends for reasons of its own. */
  goAway(farewell: Farewell | null): void;
}

export const isHeld = ({ nextHeld }: Held): boolean => nextHeld !== null;

/** The head of a ring. */
class Ring implements Held {
  nextHeld: Held = this;
  previousHeld: Held = this;
  dueTick = NEVER;
  fire(): void {
    throw new Error("the head of a ring is never due");
  }
  goAway(): void {
    throw new Error("the head of a ring stays");
  }

  push(held: Held): void {
    const last = this.previousHeld;
    held.previousHeld = last;
    held.nextHeld = this;
    last.nextHeld = held;
    this.previousHeld = held;
  }

  *[Symbol.iterator](): Generator<Held> {
    for (let held = this.nextHeld; held !== this; held = held.nextHeld ?? this) yield held;
  }
}

export class TimerWheel {
  /**
   * When the last round began (push-stream spec 8.2, QUIT): from then on nothing is set for another interval.
   */
  lastRoundMs = Number.POSITIVE_INFINITY;
  /** How many are held. */
  size = 0;
  readonly #slots: readonly Ring[] = Array.from({ length: SLOTS }, () => new Ring());
  readonly #timeless = new Ring();
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #interval: ReturnType<typeof setInterval>;
  #tick = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#interval = setInterval(() => this.advance(), TICK_MS);
  }

  beginLastRound(): void {
    this.lastRoundMs = this.#nowMs();
  }

  /** Due in `delayMs` or up to one tick later, and no more at any other time. */
  add(held: Held, delayMs: number): void {
    this.remove(held);
    const due = Math.ceil((this.#nowMs() - this.#startMs + delayMs) / TICK_MS);
    const dueTick = Math.max(due, this.#tick + 1);
    this.#stand(held, this.#slots[dueTick % SLOTS] ?? this.#timeless, dueTick);
  }

  /** Held, and nothing is due of it. */
  keep(held: Held): void {
    this.remove(held);
    this.#stand(held, this.#timeless, NEVER);
  }

  #stand(held: Held, ring: Ring, dueTick: number): void {
    held.dueTick = dueTick;
    ring.push(held);
    this.size++;
  }

  /** Idempotent. */
  remove(held: Held): void {
    const { nextHeld, previousHeld } = held;
    if (previousHeld === null || nextHeld === null) return;
    previousHeld.nextHeld = nextHeld;
    nextHeld.previousHeld = previousHeld;
    held.previousHeld = null;
    held.nextHeld = null;
    held.dueTick = NEVER;
    this.size--;
  }

  /** Those there are now. */
  all(): readonly Held[] {
    return [this.#timeless, ...this.#slots].flatMap((ring) => [...ring]);
  }

  /** Fires what is due; called by the interval, and by tests with a clock of their own. */
  advance(): void {
    const nowTick = Math.floor((this.#nowMs() - this.#startMs) / TICK_MS);
    while (this.#tick < nowTick) {
      this.#tick++;
      this.#fireSlot(this.#tick);
    }
  }

  stop(): void {
    clearInterval(this.#interval);
  }

  /** Collects first: one that is given another time, or removes others, must not disturb the walk. */
  #fireSlot(tick: number): void {
    const due: Held[] = [];
    for (const held of this.#slots[tick % SLOTS] ?? []) if (held.dueTick === tick) due.push(held);
    for (const held of due) {
      // Removed, or given another time, by one that fired before it.
      if (held.dueTick !== tick) continue;
      this.keep(held);
      held.fire();
    }
  }
}
