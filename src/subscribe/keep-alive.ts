/**
 * The clock of a held connection: pings every interval without a live message, and the end of its life
 * (push-stream spec 4.9, 4.10). One timer serves both: it is due at whichever comes first.
 */
import type { Subscription } from "../fanout/local-channel.ts";
import type { Timed, TimerWheel } from "./timer-wheel.ts";

/**
 * A connection with a clock; the fields are kept by the functions here. Times are performance.now()
 * milliseconds.
 */
export interface Clocked extends Timed {
  lastPingMs: number;
  /** 0: no end. */
  endMs: number;
  readonly subscriptions: readonly Subscription[];
  ping(): void;
  expire(): void;
}

/** Starts the clock; 0 = never. */
export function startClock(
  timers: TimerWheel,
  connection: Clocked,
  pingEveryMs: number,
  ttlMs: number,
): void {
  const nowMs = performance.now();
  connection.lastPingMs = nowMs;
  connection.endMs = ttlMs > 0 ? nowMs + ttlMs : 0;
  schedule(timers, connection, pingEveryMs, nowMs);
}

/** The connection's timer fired. */
export function clockFired(timers: TimerWheel, connection: Clocked, pingEveryMs: number): void {
  const nowMs = performance.now();
  if (connection.endMs > 0 && nowMs >= connection.endMs) {
    connection.expire();
    return;
  }
  if (pingEveryMs > 0 && nowMs >= lastSignMs(timers, connection) + pingEveryMs) {
    // The worker quits: where a ping would begin another interval, the connection ends (spec 8.2).
    if (timers.lastRoundMs <= nowMs) {
      connection.expire();
      return;
    }
    connection.lastPingMs = nowMs;
    connection.ping();
  }
  schedule(timers, connection, pingEveryMs, nowMs);
}

/**
 * The channels remember when they last delivered, so a live message costs no timer work per subscriber. One
 * that came in the last round puts nothing off.
 */
function lastSignMs(timers: TimerWheel, { lastPingMs, subscriptions }: Clocked): number {
  let last = lastPingMs;
  for (const { channel } of subscriptions) last = Math.max(last, channel.lastLiveMs);
  return Math.min(last, Math.max(timers.lastRoundMs, lastPingMs));
}

function schedule(timers: TimerWheel, connection: Clocked, pingEveryMs: number, nowMs: number): void {
  const pingMs = pingEveryMs > 0 ? lastSignMs(timers, connection) + pingEveryMs : Number.POSITIVE_INFINITY;
  const dueMs = connection.endMs > 0 ? Math.min(pingMs, connection.endMs) : pingMs;
  if (dueMs !== Number.POSITIVE_INFINITY) timers.add(connection, Math.max(0, dueMs - nowMs));
}
