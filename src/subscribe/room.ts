/**
 * What all subscriber endpoints of a worker share: store, fan-out, timers, limits, and the list of held connections that a drain has
 * to end. Made once by app.ts.
 */
import type { Config } from "../config/model.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { Store } from "../store/store.ts";
import { Backlog } from "./backlog.ts";
import { TimerWheel } from "./timer-wheel.ts";

/** A held connection as the drain sees it: the bytes of push-stream spec 8.2, then gone. */
export interface Held {
  /** Where it stands in the list, kept by the list; -1: nowhere. */
  heldAt: number;
  goAway(): void;
}

/** Every held connection of the worker, each once. A Set would cost a hundred bytes for each of ten thousand idle ones. */
export class HeldList {
  readonly #all: Held[] = [];
  #isClosed = false;

  add(held: Held): void {
    if (held.heldAt >= 0) return;
    held.heldAt = this.#all.length;
    this.#all.push(held);
    // Its request was let in just before the drain: it stands first, then it hears that it has to go.
    if (this.#isClosed) queueMicrotask(() => held.heldAt >= 0 && held.goAway());
  }

  /** Idempotent. The last one takes its place. */
  remove(held: Held): void {
    const place = held.heldAt;
    if (place < 0) return;
    const last = this.#all.pop();
    if (last !== undefined && last !== held) {
      this.#all[place] = last;
      last.heldAt = place;
    }
    held.heldAt = -1;
  }

  /** Ends all there are, and each that comes later. */
  sendAway(): void {
    this.#isClosed = true;
    // A copy: whoever is sent away leaves the list.
    for (const held of [...this.#all]) held.goAway();
  }
}

export interface RoomOptions {
  readonly config: Config;
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  /** The listeners close a connection on which nothing moves for so long. */
  readonly idleSec: number;
  /** Publishes what a WebSocket client sent to the channels of its connection. False: it could not be stored. */
  readonly publishFrom: (names: readonly Uint8Array[], data: Uint8Array, stored: boolean) => boolean;
}

export class Room {
  readonly config: Config;
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  readonly idleSec: number;
  readonly publishFrom: RoomOptions["publishFrom"];
  readonly timers = new TimerWheel();
  readonly held = new HeldList();
  readonly backlog: Backlog;
  /** No new subscribers: the worker drains or quits. */
  draining = false;

  constructor(options: RoomOptions) {
    this.config = options.config;
    this.store = options.store;
    this.slot = options.slot;
    this.fanout = options.fanout;
    this.idleSec = options.idleSec;
    this.publishFrom = options.publishFrom;
    this.backlog = new Backlog(options.store);
  }

  /** Ends every held connection with its footer, close frame or timeout answer. */
  sendAway(): void {
    this.draining = true;
    this.held.sendAway();
  }

  /** QUIT (spec 8.2): each held connection stays until its ping or ttl is due, or its client leaves. */
  beginLastRound(): void {
    this.draining = true;
    this.timers.beginLastRound();
  }

  stop(): void {
    this.timers.stop();
  }
}
