/**
 * Notices workers that live but do not move: no heartbeat in the store for 15 s (less where systemd watches
 * main, herald.ts), or not ready 10 s after their start.
 *
 * Times are those of main's own steady clock and only *changes* of the heartbeat are looked at, so a set
 * clock does no harm; a pause of main itself (a suspended machine, a stopped process group) starts the
 * waiting anew.
 */
import { Counter } from "../../store/counters.ts";
import type { SlotCounters } from "../../store/slot-counters.ts";

export const STUCK_MS = 15_000;
export const START_LIMIT_MS = 10_000;
/** `faultOf` is called once a second; a longer silence means that main did not run either. */
const OWN_PAUSE_MS = 4000;
/**
 * A seat may be without a worker that answers for so long: one start that fails by its limit, and the kill.
 */
const REPLACED_WITHIN_MS = START_LIMIT_MS + 2000;

/** A worker process, as far as it matters here. */
export interface Watched {
  readonly isReady: boolean;
  readonly slot: number;
}

/** Store.counters, as far as it matters here. */
type Counters = Pick<SlotCounters, "get">;

interface Pulse {
  heartbeat: number;
  changedAt: number;
  lookedAt: number;
}

export class PulseWatch {
  #pulses = new Map<Watched, Pulse>();
  readonly #stuckMs: number;
  readonly #ownPauseMs: number;

  constructor(stuckMs = STUCK_MS) {
    this.#stuckMs = stuckMs;
    this.#ownPauseMs = Math.min(OWN_PAUSE_MS, stuckMs / 2);
  }

  /** null = well. Otherwise a sentence for the log; the caller kills the worker. */
  faultOf(worker: Watched, counters: Counters, now = performance.now()): string | null {
    const heartbeat = worker.isReady ? counters.get(worker.slot, Counter.HEARTBEAT_MS) : 0;
    const pulse = this.#pulses.get(worker);
    if (pulse === undefined) {
      this.#pulses.set(worker, { heartbeat, changedAt: now, lookedAt: now });
      return null;
    }
    if (pulse.heartbeat !== heartbeat || now - pulse.lookedAt > this.#ownPauseMs) {
      pulse.changedAt = now;
      pulse.heartbeat = heartbeat;
    }
    pulse.lookedAt = now;
    const silentMs = now - pulse.changedAt;
    if (!worker.isReady) return silentMs > START_LIMIT_MS ? "was not ready in time" : null;
    return silentMs > this.#stuckMs ? "its event loop stood still" : null;
  }

  forget(worker: Watched): void {
    this.#pulses.delete(worker);
  }
}

/**
 * Which seats have a worker that answers, for the watchdog of systemd: a worker that hangs is main's affair,
 * and main lives; one that can neither be woken nor replaced means that starting everything anew is all that
 * is left.
 */
export class RollCall {
  readonly #answeredAt: number[];

  constructor(seats: number, now = performance.now()) {
    this.#answeredAt = new Array<number>(seats).fill(now);
  }

  answers(seat: number, now = performance.now()): void {
    this.#answeredAt[seat] = now;
  }

  /** Every seat answers, or did so recently enough to be in the middle of a replacement. */
  isComplete(now = performance.now()): boolean {
    return this.#answeredAt.every((at) => now - at <= REPLACED_WITHIN_MS);
  }
}
