/**
 * Internal channels as the other folders see them, beside Store: opened, appended to, and given up to where
 * their readers are. Who stands in one does it like everywhere, by its index and incarnation. The work is in
 * internal-channels.ts; BUSY where the lock cannot be had.
 */

import type { StoreCore } from "../core.ts";
import type { Arena } from "../memory/arena.ts";
import { BUSY } from "../outcome.ts";
import { underLock } from "../recovery/damage.ts";
import type { ChannelRef } from "./channel-ref.ts";
import { incarnationOf } from "./channels.ts";
import {
  appendInternal,
  forgetInternal,
  type Internal,
  type InternalBounds,
  type InternalMessage,
  openInternal,
} from "./internal-channels.ts";

export class InternalStore {
  readonly #core: StoreCore;
  readonly #arena: Arena;

  constructor(core: StoreCore) {
    this.#core = core;
    this.#arena = core.arena;
  }

  /**
   * Finds or makes the channel: its index, with the incarnation in `into`; -2 = the store has no room for it,
   * BUSY.
   */
  open(place: Internal, nowMs: number, into: ChannelRef): number {
    return this.#locked(() => {
      const index = openInternal(this.#arena, this.#core.policy, place, Math.floor(nowMs / 1000));
      if (index >= 0) into.set(index, incarnationOf(this.#arena, index));
      return index;
    });
  }

  /**
   * Appends, and wakes who stands there: the message's id; 0 = it is larger than the bounds or the store,
   * BUSY.
   */
  append(place: Internal, message: InternalMessage, bounds: InternalBounds, nowMs: number): number {
    const nowSec = Math.floor(nowMs / 1000);
    const outcome = this.#locked(() => {
      const index = openInternal(this.#arena, this.#core.policy, place, nowSec);
      return index < 0 ? 0 : appendInternal(this.#arena, index, message, bounds, nowSec);
    });
    if (outcome > 0) {
      this.#arena.eventsDue = true;
      this.#core.tellReaders();
    }
    return outcome;
  }

  /** Drops its messages up to this id, a slice at most: how many, or BUSY. */
  forget(place: Internal, upToId: number, nowMs: number): number {
    return this.#locked(() => forgetInternal(this.#arena, place, upToId, Math.floor(nowMs / 1000)));
  }

  #locked(work: () => number): number {
    return underLock(this.#arena, BUSY, work);
  }
}
