/**
 * What was written to connections that stand in several channels, and waits until the pump has gone through
 * all that is new: so what several channels have for one connection leaves with one system call. Filled by
 * delivery jobs, worked off by the pump, in slices like these.
 *
 * What waits is memory, so there is a bound to all of it; nothing else is delivered while it is reached.
 */
import type { Standing } from "./standing.ts";

/** Something to write to that keeps what it is given until it is uncorked. */
export interface Holder {
  uncork(): void;
}

const MOST_BYTES = 16 * 1024 * 1024;
/** A system call each: a look at the clock now and then costs nothing beside. */
const CLOCK_EVERY = 16;

export class HeldWrites {
  #holders: Holder[] = [];
  #next = 0;
  #bytes = 0;

  /** Once for each time that it is corked. */
  add(holder: Holder): void {
    this.#holders.push(holder);
  }

  /** So much more waits, if anything does: what was too much to be kept has left. */
  grow(bytes: number): void {
    if (!this.isEmpty) this.#bytes += bytes;
  }

  get isEmpty(): boolean {
    return this.#next === this.#holders.length;
  }

  get isFull(): boolean {
    return this.#bytes > MOST_BYTES && !this.isEmpty;
  }

  /** Sends until nothing waits any more or until `deadlineMs`; who is added meanwhile is at the end. */
  send({ nowMs }: Pick<Standing, "nowMs">, deadlineMs: number): void {
    for (let sent = 1; this.#next < this.#holders.length; sent++) {
      this.#holders[this.#next++]?.uncork();
      if (sent % CLOCK_EVERY === 0 && !this.isEmpty && nowMs() > deadlineMs) return;
    }
    this.#holders = [];
    this.#next = 0;
    this.#bytes = 0;
  }
}
