/**
 * What goes on in all workers, in one sentence for `systemctl status`. Read from the counters in the store,
 * which nobody has to be asked for and no lock protects: a worker that hangs must not make main hang.
 */
import { Counter } from "../../store/counters.ts";
import type { Store } from "../../store/store.ts";

export class Traffic {
  #published = 0;
  #delivered = 0;
  #atMs = Number.NaN;

  /** Rates are those since the last call; a worker that was replaced meanwhile counts from 0. */
  sentence(store: Store, nowMs: number): string {
    const sum = (counter: Counter): number => sumOf(store, counter);
    const published = sum(Counter.PUBLISHED);
    const delivered = sum(Counter.DELIVERED);
    const seconds = (nowMs - this.#atMs) / 1000;
    const rate = (now: number, before: number): string =>
      seconds > 0 ? String(Math.round(Math.max(0, now - before) / seconds)) : "0";
    const text =
      `${sum(Counter.CONNECTIONS)} connections, ${sum(Counter.SUBSCRIBERS)} subscribers; ` +
      `${rate(published, this.#published)} messages/s published, ${rate(delivered, this.#delivered)}/s ` +
      "delivered";
    this.#published = published;
    this.#delivered = delivered;
    this.#atMs = nowMs;
    return text;
  }
}

/** Connections that are open, by the last count of each worker. */
export const openConnections = (store: Store): number => sumOf(store, Counter.CONNECTIONS);

function sumOf(store: Store, counter: Counter): number {
  let sum = 0;
  for (let slot = 0; slot < store.workerSlots; slot++)
    if (store.workers.slotPid(slot) !== 0) sum += store.counters.get(slot, counter);
  return sum;
}
