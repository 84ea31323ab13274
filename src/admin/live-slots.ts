/** The workers there are, as statistics, metrics and other-turns.ts count them. */
import type { Store } from "../store/store.ts";

export function* liveSlots(store: Store): Generator<number> {
  for (let slot = 0; slot < store.workerSlots; slot++) if (store.workers.slotPid(slot) > 0) yield slot;
}
