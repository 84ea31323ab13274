/**
 * The two clocks of a held connection: pings every interval without a live message, and the end of its life (push-stream spec 4.9, 4.10).
 */
import type { Subscription } from "../fanout/local-channel.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

export interface KeepAliveOptions {
  readonly timers: TimerWheel;
  /** 0: never. */
  readonly pingEveryMs: number;
  /** 0: never. */
  readonly ttlMs: number;
  readonly subscriptions: readonly Subscription[];
  readonly ping: () => void;
  readonly expire: () => void;
}

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #pingTimer: Timer | null;
  readonly #ttlTimer: Timer | null;
  #lastPingMs = 0;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    const { timers, pingEveryMs, ttlMs } = options;
    this.#pingTimer = pingEveryMs > 0 ? new Timer(() => this.#pingDue()) : null;
    this.#ttlTimer = ttlMs > 0 ? new Timer(options.expire) : null;
    if (this.#pingTimer !== null) timers.add(this.#pingTimer, pingEveryMs);
    if (this.#ttlTimer !== null) timers.add(this.#ttlTimer, ttlMs);
  }

  stop(): void {
    if (this.#pingTimer !== null) this.#options.timers.remove(this.#pingTimer);
    if (this.#ttlTimer !== null) this.#options.timers.remove(this.#ttlTimer);
  }

  /** The channels remember when they last delivered, so a live message costs no timer work per subscriber. */
  #pingDue(): void {
    const { timers, pingEveryMs, subscriptions, ping } = this.#options;
    const nowMs = performance.now();
    let last = this.#lastPingMs;
    for (const { channel } of subscriptions) last = Math.max(last, channel.lastLiveMs);
    const waitMs = last === 0 ? 0 : last + pingEveryMs - nowMs;
    if (waitMs <= 0) {
      this.#lastPingMs = nowMs;
      ping();
    }
    if (this.#pingTimer !== null) timers.add(this.#pingTimer, waitMs <= 0 ? pingEveryMs : waitMs);
  }
}

/** Nothing to time: most long polls and streams of a location without ping and ttl. */
export const needsKeepAlive = (pingEveryMs: number, ttlMs: number): boolean => pingEveryMs > 0 || ttlMs > 0;
