/**
 * What src/webhooks does to the store, beside Store: the lease of the one that sends, positions, telling what
 * the ring says, and who is in which channel. The work is in webhook-table.ts and webhook-log.ts. Like Store
 * it says BUSY, or false, where the lock cannot be had.
 */

import { incarnationOf, lastIdOf, nameOf } from "../channel/channels.ts";
import { forgetInternal, Internal, openInternal } from "../channel/internal-channels.ts";
import { internalIndex, isInternal } from "../channel/internal-places.ts";
import type { StoreCore } from "../core.ts";
import { type Arena, channelWord, wide } from "../memory/arena.ts";
import { CH_STATE, STATE_FREE } from "../memory/layout-channel.ts";
import { HEAD_RING_HEAD } from "../memory/layout-header.ts";
import { Message } from "../message/message-view.ts";
import { FOUND, Reader } from "../message/reader.ts";
import { underLock } from "../recovery/damage.ts";
import {
  type Attended,
  attendedOf,
  isStillEmpty,
  isUntold,
  type Noted,
  noteEvent,
  noteOccupied,
  noteOrGap,
  noteVacated,
} from "./webhook-log.ts";
import * as table from "./webhook-table.ts";

export type { Attended, Noted };
export type HookState = table.HookState;

const EVERY_ID = Number.MAX_SAFE_INTEGER;

function isKnown(arena: Arena, index: number, incarnation: number): boolean {
  const now = incarnationOf(arena, index);
  if (arena.u32[channelWord(arena.layout, index) + CH_STATE] === STATE_FREE) return false;
  return now === incarnation || now === (incarnation + 1) >>> 0;
}

export class WebhookStore {
  readonly #core: StoreCore;
  readonly #arena: Arena;
  readonly #message = new Message();
  /** Up to here there is nothing left to be given up. */
  #forgotten = 0;

  constructor(core: StoreCore) {
    this.#core = core;
    this.#arena = core.arena;
  }

  /**
   * These webhooks are about to be told, and of publishes if `tells`: those that are new begin with what
   * happens from now on. Takes nothing from those of another configuration, whose workers may still send.
   * Harmless when it is said again. False: busy.
   */
  claim(names: readonly string[], tells: boolean, nowMs: number): boolean {
    return this.#locked(() => {
      this.#claim(names, nowMs);
      if (tells) table.setTells(this.#arena, true);
      return true;
    });
  }

  /**
   * The same by the one that sends: there are no others any more, and what is known of them is forgotten.
   * False: busy.
   */
  settle(names: readonly string[], tells: boolean, nowMs: number): boolean {
    return this.#locked(() => {
      table.dropEntries(this.#arena, names);
      this.#claim(names, nowMs);
      table.setTells(this.#arena, tells);
      if (names.length === 0)
        forgetInternal(this.#arena, Internal.webhooks, EVERY_ID, Math.floor(nowMs / 1000));
      return true;
    });
  }

  #claim(names: readonly string[], nowMs: number): void {
    if (names.length === 0) return;
    const arena = this.#arena;
    const index = openInternal(arena, this.#core.policy, Internal.webhooks, Math.floor(nowMs / 1000));
    table.claimEntries(arena, names, index < 0 ? 0 : lastIdOf(arena, index));
  }

  /** True: this worker sends, now or since before. To be asked again well within STANDSTILL_MS. */
  takeLease(slot: number, nowMs: number): boolean {
    return table.takeSending(this.#arena, slot, nowMs);
  }

  endLease(slot: number): void {
    table.endSending(this.#arena, slot);
  }

  /** What is known of a webhook; null: nothing. */
  state(name: string): HookState | null {
    return table.hookState(this.#arena, name);
  }

  /**
   * How many events are behind a position, of all kinds and channels, and when the oldest was noted (0: there
   * is none).
   */
  backlogAfter(position: number): { readonly events: number; readonly oldestSec: number } {
    const index = internalIndex(this.#arena, Internal.webhooks);
    if (index < 0) return { events: 0, oldestSec: 0 };
    const reader = new Reader(this.#arena, index, incarnationOf(this.#arena, index), position);
    const isThere = reader.next(this.#message, false) === FOUND;
    return {
      events: Math.max(0, lastIdOf(this.#arena, index) - position),
      oldestSec: isThere ? this.#message.time : 0,
    };
  }

  /** Gives up what every webhook was told of, a slice at most. True: there may be more. */
  forgetTold(nowMs: number): boolean {
    const upToId = table.leastPosition(this.#arena);
    if (!(upToId > this.#forgotten) || upToId === Number.POSITIVE_INFINITY) return false;
    const nowSec = Math.floor(nowMs / 1000);
    const dropped = this.#locked(() => forgetInternal(this.#arena, Internal.webhooks, upToId, nowSec));
    if (dropped === 0) this.#forgotten = upToId;
    return dropped !== false && dropped > 0;
  }

  /** "over": this worker does not send any more, or there is no such webhook. */
  write(slot: number, name: string, state: HookState): "written" | "busy" | "over" {
    const outcome = this.#locked(() =>
      table.isSending(this.#arena, slot) && table.writeHookState(this.#arena, name, state) ? 1 : 0,
    );
    return outcome === false ? "busy" : outcome === 1 ? "written" : "over";
  }

  /**
   * Serial of the first entry of the ring that was not told yet, and the one that will be written next, as
   * full numbers.
   */
  get untold(): { readonly from: number; readonly to: number } {
    const { u32 } = this.#arena;
    return { from: table.toldSerial(this.#arena), to: wide(u32, HEAD_RING_HEAD) };
  }

  /**
   * Notes what the ring had below this serial, and that it was noted, in one. False: busy, or another worker
   * sends.
   */
  tell(slot: number, notes: readonly Noted[], told: number, nowMs: number): boolean {
    const nowSec = Math.floor(nowMs / 1000);
    return this.#locked(() => {
      if (!table.isSending(this.#arena, slot)) return false;
      for (const noted of notes) noteOrGap(this.#arena, this.#core.policy, noted, nowSec);
      table.setTold(this.#arena, told);
      return true;
    });
  }

  /** Notes one event that is in no ring. False: busy. */
  note(noted: Noted, nowMs: number): boolean {
    return this.#locked(() => {
      noteEvent(this.#arena, this.#core.policy, noted, Math.floor(nowMs / 1000));
      return true;
    });
  }

  /**
   * The name of a channel that lives, or was removed so short a time ago that its record still has it; null:
   * its record is another's. Not for internal ones, of which nobody is told.
   */
  nameOf(index: number, incarnation: number): Uint8Array | null {
    const arena = this.#arena;
    if (!isKnown(arena, index, incarnation) || isInternal(arena, index)) return null;
    const name = nameOf(arena, index);
    // Pairs with carryOutOpening: a record that was given away has another incarnation.
    return isKnown(arena, index, incarnation) ? name : null;
  }

  isInternal(index: number): boolean {
    return isInternal(this.#arena, index);
  }

  // --- who is there ----------------------------------------------------------------------------------------

  /** A channel that was told to be occupied; null: it was not. */
  attended(index: number): Attended | null {
    return attendedOf(this.#arena, index);
  }

  /** It has subscribers, somebody wants to know, and nobody was told. */
  isUntold(index: number): boolean {
    const arena = this.#arena;
    return isUntold(arena, index) && this.#core.policy.webhooks?.isWatched(nameOf(arena, index)) === true;
  }

  /** Subscribers came before anybody wanted to know, or on another node. False: busy. */
  occupied(index: number, nowMs: number): boolean {
    return this.#locked(() => {
      if (isUntold(this.#arena, index))
        noteOccupied(this.#arena, this.#core.policy, index, Math.floor(nowMs / 1000));
      return true;
    });
  }

  /** Tells that it is vacated, unless somebody has come since it was seen. False: busy. */
  vacated(seen: Attended, nowMs: number): boolean {
    return this.#locked(() => {
      if (isStillEmpty(this.#arena, seen))
        noteVacated(this.#arena, this.#core.policy, seen.index, Math.floor(nowMs / 1000));
      return true;
    });
  }

  /** False: the lock could not be had. What it does may be done again from its beginning. */
  #locked<T>(work: () => T): T | false {
    return underLock(this.#arena, false, work);
  }
}
