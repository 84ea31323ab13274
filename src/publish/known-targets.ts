/**
 * The channels that paths led to, as long as they live: publishers name the same ones again and again, and
 * looking for a channel costs as much as storing a message. Kept by each publisher endpoint; the last path is
 * found without hashing.
 */
import type { Store } from "../store/store.ts";
import type { Target } from "./ingest.ts";

/** Sixty publishers of sixty channels are remembered, a crawler's thousands are not. */
const MAX_PATHS = 256;
/** Longer paths, and more channels in one, are not worth remembering. */
const MAX_PATH_LENGTH = 256;
const MAX_CHANNELS = 8;

export class KnownTargets {
  readonly #byPath = new Map<string, readonly Target[]>();
  #lastPath: string | null = null;
  #last: readonly Target[] = [];

  /** null: it is not known where this path leads now. */
  find(store: Store, path: string): readonly Target[] | null {
    const targets = path === this.#lastPath ? this.#last : this.#byPath.get(path);
    if (targets === undefined) return null;
    for (const { index, incarnation } of targets) if (!store.isLive(index, incarnation)) return null;
    this.#lastPath = path;
    this.#last = targets;
    return targets;
  }

  keep(path: string, targets: readonly Target[]): void {
    if (targets.length > MAX_CHANNELS || path.length > MAX_PATH_LENGTH) return;
    // All at once: who is still there is back with the next request.
    if (this.#byPath.size >= MAX_PATHS) this.#byPath.clear();
    this.#byPath.set(path, targets);
    this.#lastPath = path;
    this.#last = targets;
  }
}
