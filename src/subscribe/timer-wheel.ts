/**
 * Timers for held connections: pings, connection ttl, long-poll timeouts. One coarse tick serves all of a worker's connections,
 * because a native timer each would cost memory per idle subscriber and a wake-up per ping.
 *
 *   slot:  0   1   2   3  …  511        one tick = 50 ms, one turn of the wheel = 25.6 s
 *          │   └─ timer ⇄ timer ⇄ timer     (a ring; a timer due later than one turn waits for its round)
 *          ▲ now
 *
 * Timers are late by up to a tick and never early. Adding and removing are O(1).
 */
const TICK_MS = 50;
const SLOTS = 512;

/** A timer is embedded in what it times: `fire` is called once it is due, and may add it again. */
export class Timer {
  next: Timer | null = null;
  previous: Timer | null = null;
  dueTick = 0;
  readonly fire: () => void;
  constructor(fire: () => void) {
    this.fire = fire;
  }
}

export class TimerWheel {
  readonly #slots: Timer[] = Array.from({ length: SLOTS }, ring);
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #interval: ReturnType<typeof setInterval>;
  #tick = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#interval = setInterval(() => this.advance(), TICK_MS);
  }

  /** Due in `delayMs` or up to one tick later. A timer that is already waiting is moved. */
  add(timer: Timer, delayMs: number): void {
    this.remove(timer);
    const due = Math.ceil((this.#nowMs() - this.#startMs + delayMs) / TICK_MS);
    timer.dueTick = Math.max(due, this.#tick + 1);
    const head = this.#slots[timer.dueTick % SLOTS];
    if (head === undefined) return;
    const last = head.previous ?? head;
    timer.previous = last;
    timer.next = head;
    last.next = timer;
    head.previous = timer;
  }

  /** Idempotent. */
  remove(timer: Timer): void {
    if (timer.previous === null || timer.next === null) return;
    timer.previous.next = timer.next;
    timer.next.previous = timer.previous;
    timer.previous = null;
    timer.next = null;
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
    const due: Timer[] = [];
    for (let timer = head?.next ?? null; timer !== null && timer !== head; timer = timer.next) {
      if (timer.dueTick <= tick) due.push(timer);
    }
    for (const timer of due) {
      if (timer.previous === null) continue; // removed by one that fired before it
      this.remove(timer);
      timer.fire();
    }
  }
}

function ring(): Timer {
  const head = new Timer(() => undefined);
  head.next = head;
  head.previous = head;
  return head;
}
