/**
 * A worker's beat, four times a second: writes the heartbeat and the event-loop lag into the store, and looks
 * whether main is still there. Main watches the heartbeat (pulse-watch.ts); the lag is for the metrics.
 *
 * The lag is how much later than planned the timer fired: the time a request that arrived just then would
 * have waited. The worst of the last five seconds is shown, because a scrape every 15 s would miss nearly
 * every spike of a plain gauge.
 */
import { Counter } from "../../store/counters.ts";
import type { Store } from "../../store/store.ts";

export const PULSE_MS = 250;
const LAG_WINDOW = 20;

/** Starts the beat. `onOrphaned` is called when the parent process is no longer the one that started us. */
export function startPulse(store: Store, slot: number, onOrphaned: () => void): () => void {
  const main = process.ppid;
  const lagsUs = new Float64Array(LAG_WINDOW);
  let beats = 0;
  let due = performance.now() + PULSE_MS;
  const beat = (): void => {
    const now = performance.now();
    lagsUs[beats++ % LAG_WINDOW] = Math.max(0, Math.round((now - due) * 1000));
    due = now + PULSE_MS;
    store.counters.set(slot, Counter.LOOP_LAG_US, Math.max(...lagsUs));
    store.counters.set(slot, Counter.HEARTBEAT_MS, Date.now());
    if (process.ppid !== main) onOrphaned();
  };
  store.counters.set(slot, Counter.HEARTBEAT_MS, Date.now());
  const timer = setInterval(beat, PULSE_MS);
  return () => clearInterval(timer);
}
