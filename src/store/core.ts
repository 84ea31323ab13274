/**
 * What all parts of one process's store share: the memory, the policy in force, and whom to wake when the
 * store itself has published (events of the dialect, of presence, of webhooks). Made by Store, which hands it
 * to each part; the parts hold no policy of their own, so that a reload changes one word.
 */
import type { Arena } from "./memory/arena.ts";
import type { StorePolicy } from "./policy.ts";

export class StoreCore {
  readonly arena: Arena;
  /** Another one after a reload. */
  policy: StorePolicy;
  #onEvent: (() => void) | null = null;

  constructor(arena: Arena, policy: StorePolicy) {
    this.arena = arena;
    this.policy = policy;
  }

  /** Calls `wake` after events were published from here, as whoever appends a message wakes its readers. */
  onEvent(wake: (() => void) | null): void {
    this.#onEvent = wake;
  }

  /** After whatever may have published an event: those who stand in its channel are woken. */
  tellReaders(): void {
    if (!this.arena.eventsDue) return;
    this.arena.eventsDue = false;
    this.#onEvent?.();
  }
}
