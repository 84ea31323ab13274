/**
 * Who stands in which channel, counted a worker and a channel (Store.subscribers). A count keeps the channel
 * from being collected, so each is changed once for each subscription, whatever becomes of the lock: what
 * cannot be done at once is owed (ledger.ts). Used by fan-out alone.
 */
import { addSubscriber } from "./channel/arrival.ts";
import * as channels from "./channel/channels.ts";
import type { StoreCore } from "./core.ts";
import { Ledger } from "./ledger.ts";
import * as events from "./message/events.ts";
import { BUSY } from "./outcome.ts";
import { mending } from "./recovery/damage.ts";

type Lost = (index: number, incarnation: number) => void;

export class Subscribers {
  readonly #core: StoreCore;
  readonly #ledger: Ledger;
  #onLost: Lost | null = null;

  constructor(core: StoreCore) {
    this.#core = core;
    this.#ledger = new Ledger(() => core.tellReaders());
  }

  /** So much is owed that nobody new is taken. */
  get isFull(): boolean {
    return this.#ledger.isFull;
  }

  /**
   * Counts a subscription in and keeps the channel from being collected. With an incarnation: false when the
   * channel is gone (open it again); while others are still being told of its deletion it is counted all the
   * same, so count it out as well. Without one the caller must have opened it in this very turn. Where the
   * lock is taken it is counted later, and onLost told when the channel is gone by then.
   */
  add(slot: number, index: number, nowSec: number, incarnation?: number): boolean {
    if (!this.#ledger.isEmpty) return this.#addLater(slot, index, nowSec, incarnation);
    const { arena, policy } = this.#core;
    const outcome = addSubscriber(arena, policy, slot, index, nowSec, incarnation);
    return outcome === BUSY ? this.#addLater(slot, index, nowSec, incarnation) : outcome === 1;
  }

  #addLater(slot: number, index: number, nowSec: number, asked?: number): boolean {
    const { arena } = this.#core;
    const incarnation = asked ?? channels.incarnationOf(arena, index);
    this.#ledger.do(() => {
      const outcome = addSubscriber(arena, this.#core.policy, slot, index, nowSec, incarnation);
      if (outcome === 0) this.#onLost?.(index, incarnation);
      return outcome !== BUSY;
    });
    return channels.isLive(arena, index, incarnation);
  }

  /** Calls `lost` when a channel is gone whose subscriber could not be counted in at once. */
  onLost(lost: Lost | null): void {
    this.#onLost = lost;
  }

  /**
   * Counts it out and tells of it in the events channel: `channel_destroyed` waits for the count. With an
   * incarnation: nothing happens when the channel is in the trash or further, its counts went with it.
   */
  remove(slot: number, index: number, incarnation?: number, nowMs?: number): void {
    const { arena } = this.#core;
    if (events.eventsChannelOf(arena) < 0 && this.#ledger.isEmpty) {
      channels.removeSubscriber(arena, slot, index, incarnation);
      return;
    }
    const nowSec = Math.floor((nowMs ?? Date.now()) / 1000);
    this.#owe(() => events.endOwnSubscription(arena, this.#core.policy, slot, index, incarnation, nowSec));
  }

  /**
   * Tells the events channel of a subscription that was counted in and has its old messages (push-stream spec
   * 7).
   */
  tellOf(index: number, incarnation: number, nowMs?: number): void {
    const { arena } = this.#core;
    if (events.eventsChannelOf(arena) < 0) return;
    // The clock is asked only when there is something to tell.
    const nowSec = Math.floor((nowMs ?? Date.now()) / 1000);
    this.#owe(() => events.tellOfSubscriber(arena, this.#core.policy, index, incarnation, nowSec));
  }

  #owe(work: () => boolean): void {
    this.#ledger.do(() => mending(this.#core.arena, work));
    this.#core.tellReaders();
  }

  /** Those of all workers. */
  countOf(index: number): number {
    return channels.subscriberCountOf(this.#core.arena, index);
  }

  /** Those of one worker. */
  countOfSlot(index: number, slot: number): number {
    return channels.subscribersOfSlot(this.#core.arena, index, slot);
  }

  /** Nothing owed is done any more: main does it in this worker's place. */
  stop(): void {
    this.#ledger.stop();
  }
}
