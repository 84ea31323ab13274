/**
 * Timers for held connections: pings, connection ttl, long-poll timeouts. One coarse tick serves all of a
 * worker's connections, because a native timer each would cost memory per idle subscriber and a wake-up per
 * ping.
 *
 *   slot:  0   1   2   3  …  511        one tick = 50 ms, one turn of the wheel = 25.6 s
 *          │   └─ timer ⇄ timer ⇄ timer     (a ring; a timer due later than one turn waits for its round)
 *          ▲ now
 *
 * Timers are late by up to a tick and never early. Adding and removing are O(1).
 */
const TICK_MS = 50;
const SLOTS = 512;

/**
 * What is timed carries its own links, so that a held connection is one object and not three. `fire` is
 * called once it is due, and may add it again.
 */
export interface Timed {
  nextTimed: Timed | null;
  previousTimed: Timed | null;
  dueTick: number;
  fire(): void;
}

/** The head of a slot's ring. */
class Ring implements Timed {
  nextTimed: Timed = this;
  previousTimed: Timed = this;
  dueTick = 0;
  fire(): void {
    throw new Error("the head of a ring is never due");
  }
}

export class TimerWheel {
  /**
   * When the last round began (push-stream spec 8.2, QUIT): from then on nothing is set for another interval.
   */
  lastRoundMs = Number.POSITIVE_INFINITY;
  readonly #slots: readonly Ring[] = Array.from({ length: SLOTS }, () => new Ring());
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

  /** Due in `delayMs` or up to one tick later. A timer that is already waiting is moved. */
  add(timer: Timed, delayMs: number): void {
    this.remove(timer);
    const due = Math.ceil((this.#nowMs() - this.#startMs + delayMs) / TICK_MS);
    timer.dueTick = Math.max(due, this.#tick + 1);
    const head = this.#slots[timer.dueTick % SLOTS];
    if (head === undefined) return;
    const last = head.previousTimed;
    timer.previousTimed = last;
    timer.nextTimed = head;
    last.nextTimed = timer;
    head.previousTimed = timer;
  }

  /** Idempotent. */
  remove(timer: Timed): void {
    if (timer.previousTimed === null || timer.nextTimed === null) return;
    timer.previousTimed.nextTimed = timer.nextTimed;
    timer.nextTimed.previousTimed = timer.previousTimed;
    timer.previousTimed = null;
    timer.nextTimed = null;
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

  /** Collects first: a timer that adds itself again, or removes others, must not disturb the walk. */
  #fireSlot(tick: number): void {
    const head = this.#slots[tick % SLOTS];
    const due: Timed[] = [];
    for (
      let timer: Timed | null = head?.nextTimed ?? null;
      timer !== null && timer !== head;
      timer = timer.nextTimed
    ) {
      if (timer.dueTick <= tick) due.push(timer);
    }
    for (const timer of due) {
      // Removed, or added again for later, by one that fired before it.
      if (timer.previousTimed === null || timer.dueTick > tick) continue;
      this.remove(timer);
      timer.fire();
    }
  }
}
