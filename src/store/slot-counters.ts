/**
 * The counters of each worker (Store.counters; counters.ts names them): written by the worker whose slot it
 * is, read by whoever shows statistics. Plain words without order between them: a page may show one that is a
 * moment older than another.
 */
import { Counter, REFUSED_STATUSES } from "./counters.ts";
import type { Arena } from "./memory/arena.ts";
import * as slots from "./slots.ts";

export class SlotCounters {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  add(slot: number, counter: Counter, delta: number): void {
    slots.addCounter(this.#arena, slot, counter, delta);
  }

  get(slot: number, counter: Counter): number {
    return slots.readCounter(this.#arena, slot, counter);
  }

  set(slot: number, counter: Counter, value: number): void {
    slots.writeCounter(this.#arena, slot, counter, value);
  }

  /** A request, or a message of a WebSocket client, was refused with this status. */
  addRefusal(slot: number, status: number): void {
    this.add(slot, Counter.REFUSED, 1);
    for (const [counted, counter] of REFUSED_STATUSES) if (counted === status) this.add(slot, counter, 1);
  }
}
