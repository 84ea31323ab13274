/**
 * Worker slots whose process is gone and whose subscribers are still to be counted out and told of in the
 * events channel. That takes a walk over all channels, and perhaps the lock, which somebody who stands still
 * may have: main starts the next worker first, and comes back here for one turn after the other. One for all
 * generations, because a generation may be over before its last slot is given back.
 */
import type { Store } from "../../store/store.ts";

/** A store with a million channels takes some tens of turns. */
const LOOK_MS = 10;

export class LostSlots {
  readonly #lost: { readonly store: Store; readonly slot: number; readonly pid: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Gives the slot back now if that can be done without waiting, else as soon as it can. */
  giveBack(store: Store, slot: number): void {
    this.#lost.push({ store, slot, pid: store.workers.slotPid(slot) });
    this.look();
  }

  /** True: none is left. */
  look(): boolean {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#lost[0] !== undefined) {
      const { store, slot, pid } = this.#lost[0];
      if (store.workers.slotPid(slot) === pid && !store.workers.releaseSlot(slot)) {
        this.#timer = setTimeout(() => this.look(), LOOK_MS);
        return false;
      }
      this.#lost.shift();
    }
    return true;
  }

  /** The next opening of the store tells what is left. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#lost.length = 0;
  }
}
