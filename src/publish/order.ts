/**
 * Who gives messages their place in the order where several nodes share one: implemented by cluster/, made by app.ts. Without a cluster there
 * is none, and the store's lock is the order (ingest.ts).
 */
import type { Refusal } from "../errors.ts";
import type { Draft, Target } from "./ingest.ts";

export interface Order {
  /** Resolves when it was taken and is in this node's store, or with why not. `lastId` of each target counts its messages then. */
  append(targets: readonly Target[], draft: Draft): Promise<Refusal | null>;
  remove(names: readonly Uint8Array[], text: Uint8Array): Promise<Refusal | null>;
}
