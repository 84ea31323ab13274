/**
 * Positions as clients hold them (Store.positions): where somebody stands who was given nothing, where to go
 * on after a position, how many messages lie between two. One process alone counts them; in a cluster an id
 * is a position of the log, so there are jumps between them (jumps.ts) and moments before the first one
 * (replica/moments.ts). Used by subscribe and fan-out, which know no cluster.
 */
import * as channels from "./channel/channels.ts";
import * as jumps from "./jumps.ts";
import type { MemberStore } from "./members/member-store.ts";
import type { Arena } from "./memory/arena.ts";
import { clockIsAt, clockOf } from "./message/publish.ts";
import { hasForgotten, momentOf, readMoment } from "./replica/moments.ts";
import { publishedIn } from "./replica/replica.ts";

export class Positions {
  readonly #arena: Arena;
  readonly #isClustered: boolean;
  readonly #members: () => MemberStore | null;

  constructor(arena: Arena, members: () => MemberStore | null) {
    this.#arena = arena;
    this.#isClustered = arena.layout.clusterWord !== 0;
    this.#members = members;
  }

  /** position = base + id; never goes back when a channel is deleted and created again. */
  base(index: number): number {
    return channels.baseOf(this.#arena, index);
  }

  /** Position of somebody who stands in a channel of this base and was given nothing. */
  beginning(base: number): number {
    return this.#isClustered ? momentOf(this.#arena) : base;
  }

  /** Of a cluster: where to go on after a position, and whether what was missed can be known. */
  placeAfter(index: number, position: number): { readonly afterId: number; readonly isUnknown: boolean } {
    return jumps.placeAfter(this.#arena, index, position);
  }

  /**
   * Of a cluster: time and tag of a position that is a moment, and whether anything since was forgotten;
   * null: it is a message's.
   */
  momentAt(position: number): { time: number; tag: number; isForgotten: boolean } | null {
    const moment = readMoment(position);
    return moment && { ...moment, isForgotten: hasForgotten(this.#arena, moment.time) };
  }

  /**
   * Messages that somebody lacks who was given everything up to `after` and nothing up to `upTo`; infinite:
   * not to be counted.
   */
  missedBetween(index: number, after: number, upTo: number): number {
    return this.#isClustered ? jumps.missedBetween(this.#arena, index, after, upTo) : upTo - after;
  }

  /** Messages ever published, where ids are positions of a cluster, as the cluster counts. */
  publishedTotal(index: number): number {
    return publishedIn(this.#arena, index);
  }

  /**
   * Time and tag of the newest message, or a moment after it: no message that is published later has less.
   */
  get clock(): { readonly sec: number; readonly tag: number } {
    return clockOf(this.#arena);
  }

  /**
   * Every message that comes from here on has a later time than `nowSec` with tag 0, and what has not is
   * there already. False: this cannot be said, for the lock is held, or the clock was set back.
   */
  clockIsAt(nowSec: number): boolean {
    return clockIsAt(this.#arena, nowSec);
  }

  /** Number of the newest presence event in a channel; 0: there was none. */
  presenceNumber(index: number, incarnation: number): number {
    return this.#members()?.numberOf(index, incarnation) ?? 0;
  }

  /** What its numbers began at: the first event has the next one. 0: there was none. */
  presenceBegan(index: number, incarnation: number): number {
    return this.#members()?.beganAt(index, incarnation) ?? 0;
  }
}
