/**
 * Waits until the other workers have counted out whom they have closed (push-stream spec 5.6). Used by
 * statistics.ts.
 *
 * Bun answers a client's close frame first and tells the worker afterwards, in the same turn of its event
 * loop. Whoever gets that answer and at once asks another worker would find himself still counted. So
 * statistics ring those workers, as a publish does, and answer when they have heard it: by then the turn is
 * over. A worker without subscribers has nobody to count out.
 */
import { Counter } from "../store/counters.ts";
import type { Store } from "../store/store.ts";
import { liveSlots } from "./live-slots.ts";

export interface OtherWorkers {
  readonly store: Store;
  /** This worker's. */
  readonly slot: number;
  readonly ring: (slot: number) => void;
}

interface Rung {
  readonly slot: number;
  /** Bells it had heard when it was rung. */
  readonly heard: number;
}

/**
 * A bell is heard within some ten microseconds, unless the machine is busy: then looking all the time would
 * make it busier.
 */
const LOOKS_AT_ONCE = 20;
const LOOK_MS = 1;
/** A worker that hangs or has just died keeps nobody waiting. */
const LONGEST_MS = 50;

/** null: there is nobody to wait for. */
export function othersTurn({ store, slot, ring }: OtherWorkers): Promise<void> | null {
  const rung: Rung[] = [];
  for (const other of liveSlots(store)) {
    if (other === slot || store.counters.get(other, Counter.SUBSCRIBERS) === 0) continue;
    rung.push({ slot: other, heard: store.counters.get(other, Counter.BELLS_HEARD) });
    ring(other);
  }
  return rung.length === 0 ? null : heard(store, rung);
}

async function heard(store: Store, rung: readonly Rung[]): Promise<void> {
  const endMs = performance.now() + LONGEST_MS;
  // Not "more than before": a worker that was replaced begins at 0.
  const isWaiting = (one: Rung): boolean => store.counters.get(one.slot, Counter.BELLS_HEARD) === one.heard;
  for (let look = 0; rung.some(isWaiting) && performance.now() < endMs; look++) {
    if (look < LOOKS_AT_ONCE) await new Promise<void>((resolve) => setImmediate(resolve));
    else await Bun.sleep(LOOK_MS);
  }
}
