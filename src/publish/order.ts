/**
 * Who gives messages their place in the order where several nodes share one: implemented by cluster/, made by
 * app.ts. Without a cluster there is none, and the store's lock is the order (ingest.ts).
 */
import type { Refusal } from "../http/refusal.ts";
import type { KeyMark } from "../store/message/keys.ts";
import type { Draft, Target } from "./ingest.ts";

export interface Put extends Draft {
  readonly name: Uint8Array;
  readonly key: KeyMark | null;
  /** KEY_REUSED of store/message/keys.ts where the key came with another message before. */
  outcome: number;
  /** Of the message, or with `isDuplicate` of the one that its key came with before. */
  position: number;
  isDuplicate: boolean;
  /** Why it is not in; null: it is, or its outcome says why. */
  refusal: Refusal | null;
}

export interface Order {
  /**
   * Resolves when it was taken and is in this node's store, or with why not. `lastId` of each target is its
   * position then.
   */
  append(targets: readonly Target[], draft: Draft): Promise<Refusal | null>;
  /**
   * The same for messages that want to know more: with idempotency keys, of a batch, or whose position is
   * asked for. All are on their way when it returns, in their order. What became of each stands in it then.
   */
  put(messages: readonly Put[]): Promise<void>;
  remove(names: readonly Uint8Array[], text: Uint8Array): Promise<Refusal | null>;
}
