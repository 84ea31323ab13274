/**
 * Worker slots whose process is gone and whose subscribers' ends are still to be told in the events channel. That needs the lock, which
 * may be taken just now, perhaps by a process that stands still: main starts the next worker first and comes back here. One for all
 * generations, because a generation may be over before its last slot is given back.
 */
import type { Store } from "../store/store.ts";

const LOOK_MS = 100;

export class LostSlots {
  readonly #lost: { readonly store: Store; readonly slot: number; readonly pid: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Gives the slot back now if that can be done without waiting, else as soon as it can. */
  giveBack(store: Store, slot: number): void {
    this.#lost.push({ store, slot, pid: store.slotPid(slot) });
    this.look();
  }

  /** True: none is left. */
  look(): boolean {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#lost[0] !== undefined) {
      const { store, slot, pid } = this.#lost[0];
      if (store.slotPid(slot) === pid && !store.releaseSlot(slot)) {
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
