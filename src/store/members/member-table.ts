/**
 * What the functions over the table of members work on, and whom they are told of. A leaf of store/, for
 * members.ts and its neighbours.
 */
import type { Arena } from "../memory/arena.ts";
import type { StorePolicy } from "../policy.ts";
import type { Members } from "./members-file.ts";

/** Whoever comes, as presence/ knows it. */
export interface Newcomer {
  readonly name: Uint8Array;
  /** JSON; empty: nothing is to be known of it. */
  readonly info: Uint8Array;
  readonly isAnonymous: boolean;
  /** False: it counts, and nobody is told its name. */
  readonly isListed: boolean;
  readonly lingerSec: number;
  readonly mostMembers: number;
  /** Events a second; 0: any number. */
  readonly mostEvents: number;
}

/** Of join: there was no room for a record, or its channel is gone. */
export const NO_RECORD = 0;

/** What the functions here work on, under the lock. */
export interface Table {
  readonly arena: Arena;
  readonly members: Members;
  readonly policy: StorePolicy;
  /** What other nodes of a cluster are to hear of it, once the lock is given back; null: there are none. */
  readonly said: Said[] | null;
}

/** That somebody is on this node, or is no longer. */
export interface Said extends Newcomer {
  readonly isHere: boolean;
  readonly channel: Uint8Array;
}
