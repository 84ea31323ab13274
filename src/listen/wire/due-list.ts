/**
 * The connections of a listener by what they are waiting for: each stands in exactly one list, so the lists
 * are also how all of them are found. A list has one time limit for all, so it is in the order in which they
 * are over: whoever moves goes to its end, and a look once a second looks at its beginning only. Two links
 * and a number a connection, no timer.
 *
 * Who stands there for ever (held streams, open WebSockets) is in a list without a limit.
 */
export class Waiting {
  /** null: in no list. */
  list: DueList | null = null;
  next: Waiting | null = null;
  previous: Waiting | null = null;
  /** When it came into the list, or moved last (the listener's clock). */
  sinceMs = 0;

  /** It has waited too long. It has left the list, or leaves it now. */
  overdue(_list: DueList): void {
    // for those who wait
  }
}

/** One clock for the lists of a listener: the time of the last look. */
export class Clock {
  nowMs = performance.now();
}

export class DueList {
  #first: Waiting | null = null;
  #last: Waiting | null = null;
  length = 0;
  readonly #clock: Clock;
  /** 0: for ever. */
  readonly limitMs: number;
  readonly #isExact: boolean;

  /**
   * Whoever comes into a list that is not exact came with the last look, up to a second ago: near enough for
   * times that are long, and for what happens with each request. In others nobody's time is over early, also
   * when the worker was busy and looks late.
   */
  constructor(clock: Clock, limitMs: number, isExact = false) {
    this.#clock = clock;
    this.limitMs = limitMs;
    this.#isExact = isExact && limitMs > 0;
  }

  /** Moves it here, to the end; its time begins anew. */
  take(one: Waiting): void {
    // It came with this look already: among those its place says nothing.
    if (one.list === this && !this.#isExact && one.sinceMs === this.#clock.nowMs) return;
    one.list?.drop(one);
    one.sinceMs = this.#isExact ? performance.now() : this.#clock.nowMs;
    one.list = this;
    one.previous = this.#last;
    if (this.#last === null) this.#first = one;
    else this.#last.next = one;
    this.#last = one;
    this.length++;
  }

  drop(one: Waiting): void {
    if (one.list !== this) return;
    if (one.previous === null) this.#first = one.next;
    else one.previous.next = one.next;
    if (one.next === null) this.#last = one.previous;
    else one.next.previous = one.previous;
    one.list = null;
    one.next = null;
    one.previous = null;
    this.length--;
  }

  /** Who has waited longest, if that is at least so long. */
  longest(atLeastMs: number): Waiting | null {
    const first = this.#first;
    return first !== null && this.#clock.nowMs - first.sinceMs >= atLeastMs ? first : null;
  }

  /** Tells those whose time is over, until it meets one whose is not. */
  look(): void {
    if (this.limitMs === 0) return;
    const before = this.#clock.nowMs - this.limitMs;
    for (let one = this.#first; one !== null && one.sinceMs <= before; one = this.#first) {
      this.drop(one);
      one.overdue(this);
    }
  }

  /** All there are now, one after the other; they may leave meanwhile. */
  each(call: (one: Waiting) => void): void {
    const all: Waiting[] = [];
    for (let one = this.#first; one !== null; one = one.next) all.push(one);
    for (const one of all) call(one);
  }
}
