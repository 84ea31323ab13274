/**
 * What was written to connections that stand in several channels, and waits until the pump has gone through
 * all that is new: so what several channels have for one connection leaves with one system call. Filled by
 * delivery jobs, worked off by the pump, in slices like these.
 *
 * What waits is memory, so there is a bound to all of it; nothing else is delivered while it is reached.
 */
import { volley } from "../http/volley.ts";
import type { Standing } from "./standing.ts";

/** Something to write to that keeps what it is given until it is uncorked. */
export interface Holder {
  uncork(): void;
}

const MOST_BYTES = 16 * 1024 * 1024;
/** So many, then a look at the clock: a system call each, or as many as a door sends by one. */
const CLOCK_EVERY = 64;

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
    for (let isTime = true; isTime && !this.isEmpty; isTime = nowMs() <= deadlineMs) this.#sendSome();
    if (!this.isEmpty) return;
    this.#holders = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  /** A door may send what they have in one go. */
  #sendSome(): void {
    const before = Math.min(this.#next + CLOCK_EVERY, this.#holders.length);
    volley.open();
    while (this.#next < before) this.#holders[this.#next++]?.uncork();
    volley.fire();
  }
}
