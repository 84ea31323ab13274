/**
 * Whether this node of a cluster may run its timers now: one does, for as long as it says so in the engine
 * (cluster/webhook-lease.ts, by way of app.ts). Asked before each run, and again and again during one, so
 * that no other node begins meanwhile. Where the engine is away nobody begins. One machine alone always may.
 */
import { log } from "../log.ts";

/** What the engine keeps for all nodes. */
export interface NodeLease {
  exchange(forMs: number, places: ReadonlyMap<string, string>): Promise<{ readonly isOurs: boolean }>;
  stop(): void;
}

/**
 * Clocks of nodes may differ by less than this: who is early keeps the others from doing the same turn again.
 */
const TURN_MS = 5000;
const RENEW_MS = 1500;
const NOTHING: ReadonlyMap<string, string> = new Map();

export class TimerTurn {
  readonly #lease: NodeLease | null;
  #running = 0;
  #renewal: Timer | null = null;

  constructor(lease: NodeLease | null) {
    this.#lease = lease;
  }

  async mayBegin(): Promise<boolean> {
    if (this.#lease === null) return true;
    try {
      return (await this.#lease.exchange(TURN_MS, NOTHING)).isOurs;
    } catch (error) {
      log("warn", "a timer was passed over: the engine does not say which node's turn it is", {
        error: String(error),
      });
      return false;
    }
  }

  began(): void {
    if (this.#running++ === 0 && this.#lease !== null)
      this.#renewal = setInterval(() => void this.mayBegin(), RENEW_MS);
  }

  ended(): void {
    if (--this.#running > 0 || this.#renewal === null) return;
    clearInterval(this.#renewal);
    this.#renewal = null;
  }

  /** The worker leaves, and nothing runs any more. */
  stop(): void {
    this.#lease?.stop();
  }
}
