/**
 * The clock of a held connection: pings every interval without a live message, and the end of its life
 * (push-stream spec 4.9, 4.10). One timer serves both: it is due at whichever comes first.
 */
import type { Subscription } from "../fanout/local-channel.ts";
import { type Held, isHeld, type TimerWheel } from "./timer-wheel.ts";

/**
 * A connection with a clock. All times are performance.now() milliseconds.
 *
 * When it was pinged last is not kept: the timer of one without an end is only ever set for the next ping, so
 * that it fires says that its interval is over. An end may come in the middle of one.
 */
export interface Clocked extends Held {
  /** Kept by the functions here; null: its life has no end. */
  lifeEnd: LifeEnd | null;
  readonly subscriptions: readonly Subscription[];
  ping(): void;
  expire(): void;
}

/** Of those whose life has one. */
export class LifeEnd {
  readonly ms: number;
  lastPingMs: number;

  constructor(ms: number, nowMs: number) {
    this.ms = ms;
    this.lastPingMs = nowMs;
  }
}

/** Starts the clock of one that is held; 0 = never. */
export function startClock(
  timers: TimerWheel,
  connection: Clocked,
  pingEveryMs: number,
  ttlMs: number,
): void {
  const nowMs = performance.now();
  if (ttlMs > 0) connection.lifeEnd = new LifeEnd(nowMs + ttlMs, nowMs);
  schedule(timers, connection, pingEveryMs, nowMs, nowMs);
}

/** The connection's timer fired. */
export function clockFired(timers: TimerWheel, connection: Clocked, pingEveryMs: number): void {
  const nowMs = performance.now();
  const { lifeEnd: end } = connection;
  if (end !== null && nowMs >= end.ms) {
    connection.expire();
    return;
  }
  const signMs = lastSignMs(timers, connection, end?.lastPingMs ?? nowMs - pingEveryMs);
  if (pingEveryMs === 0 || nowMs < signMs + pingEveryMs) {
    schedule(timers, connection, pingEveryMs, nowMs, signMs);
    return;
  }
  // The worker quits: where a ping would begin another interval, the connection ends (spec 8.2).
  if (timers.lastRoundMs <= nowMs) {
    connection.expire();
    return;
  }
  if (end !== null) end.lastPingMs = nowMs;
  connection.ping();
  // A socket that was too slow is closed by it.
  if (isHeld(connection)) schedule(timers, connection, pingEveryMs, nowMs, nowMs);
}

/**
 * The channels remember when they last delivered, so a live message costs no timer work per subscriber. One
 * that came in the last round puts nothing off.
 */
function lastSignMs(timers: TimerWheel, { subscriptions }: Clocked, lastPingMs: number): number {
  let last = lastPingMs;
  for (const { channel } of subscriptions) last = Math.max(last, channel.lastLiveMs);
  return Math.min(last, Math.max(timers.lastRoundMs, lastPingMs));
}

function schedule(
  timers: TimerWheel,
  connection: Clocked,
  pingEveryMs: number,
  nowMs: number,
  signMs: number,
): void {
  const pingMs = pingEveryMs > 0 ? signMs + pingEveryMs : Number.POSITIVE_INFINITY;
  const dueMs = Math.min(pingMs, connection.lifeEnd?.ms ?? Number.POSITIVE_INFINITY);
  if (dueMs !== Number.POSITIVE_INFINITY) timers.add(connection, Math.max(0, dueMs - nowMs));
}
