/**
 * How many connections a worker takes, over all of its listeners: what the configuration allows, and what its
 * file descriptors do. The next one is refused before there are no descriptors left to refuse it with. Used
 * by app.ts.
 */
import type { Listener } from "./listener.ts";

/** Beyond the limit some more are let in, to hear that there are too many; the next would hear nothing. */
const TURNED_AWAY = 64;

export class ConnectionLimit {
  readonly #listeners: readonly Listener[];
  readonly #most: number;

  /** `maxConnections` 0 and `maxDescriptors` undefined: no limit. */
  constructor(listeners: readonly Listener[], maxConnections: number, maxDescriptors: number | undefined) {
    this.#listeners = listeners;
    this.#most = Math.min(
      maxConnections || Number.POSITIVE_INFINITY,
      maxDescriptors ?? Number.POSITIVE_INFINITY,
    );
  }

  get open(): number {
    let open = 0;
    for (const listener of this.#listeners) open += listener.open;
    return open;
  }

  get isFull(): boolean {
    return this.open > this.#most;
  }

  /** Where connections are counted as such: above this they are not let in at all. */
  get mostOpen(): number {
    return this.#most + Math.min(TURNED_AWAY, Math.ceil(this.#most / 8));
  }
}
