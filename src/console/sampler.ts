/**
 * What the console shows of the last minutes: once a second the counters of all workers as rates, published
 * to an internal channel, so that any worker can show them and a page that opens later has a past. One worker
 * takes the sample: the first that is alive. Made by console.ts where a location is a console.
 */

import { Internal, type InternalBounds } from "../store/channel/internal-channels.ts";
import { Counter, FANOUT_LATENCIES } from "../store/counters.ts";
import type { Store } from "../store/store.ts";

export const SAMPLE_MS = 1000;
/** A quarter of an hour, and what the log warned of meanwhile. */
export const BOUNDS: InternalBounds = { maxMessages: 1100, maxBytes: 2 ** 20 };
/** A worker that gave no sign of life for so long takes no samples. */
const SILENT_MS = 2500;

/** Counters that only grow; a worker that was replaced begins at 0 again. */
const RATES = {
  published: Counter.PUBLISHED,
  delivered: Counter.DELIVERED,
  bytes: Counter.BYTES_SENT,
  refused: Counter.REFUSED,
  gaps: Counter.GAPS_TOLD,
  slow: Counter.CLOSED_SLOW,
  fanouts: Counter.FANOUTS,
} as const satisfies Readonly<Record<string, Counter>>;
type Rate = keyof typeof RATES;

export interface Sample extends Readonly<Record<Rate, number>> {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly connections: number;
  readonly streams: number;
  readonly polls: number;
  readonly sockets: number;
  /**
   * Milliseconds: the upper bound of the bucket in which the 99th of a hundred publishes was written out; 0:
   * none was.
   */
  readonly latency: number;
  /** The worst of all workers, in milliseconds. */
  readonly lag: number;
  readonly channels: number;
  readonly stored: number;
  /** Shares of 1. */
  readonly store: number;
  readonly records: number;
  readonly evicted: number;
  readonly replaced: number;
  readonly workers: readonly WorkerSample[];
}

interface WorkerSample {
  readonly slot: number;
  readonly pid: number;
  readonly subscribers: number;
  readonly lag: number;
}

export class Sampler {
  readonly #store: Store;
  readonly #slot: number;
  /** Of each worker, by pid: what its counters were at the sample before. */
  #before = new Map<number, readonly number[]>();
  #evicted = -1;
  readonly #timer: Timer;

  constructor(store: Store, slot: number) {
    this.#store = store;
    this.#slot = slot;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = Date.now();
    if (this.#firstAlive(nowMs) !== this.#slot) {
      this.#before.clear();
      return;
    }
    const data = new TextEncoder().encode(JSON.stringify(this.#sample(nowMs)));
    // Busy: a second without a sample is a hole in a plot.
    this.#store.internal.append(Internal.console, { data, eventId: null, eventType: null }, BOUNDS, nowMs);
  }

  #firstAlive(nowMs: number): number {
    for (const slot of this.#slots())
      if (nowMs - this.#store.counters.get(slot, Counter.HEARTBEAT_MS) < SILENT_MS) return slot;
    return -1;
  }

  *#slots(): Generator<number> {
    for (let slot = 0; slot < this.#store.workerSlots; slot++)
      if (this.#store.workers.slotPid(slot) > 0) yield slot;
  }

  #sample(nowMs: number): Sample {
    const store = this.#store;
    const totals = store.totals(nowMs);
    const slots = [...this.#slots()];
    const sum = (counter: Counter): number =>
      slots.reduce((all, slot) => all + store.counters.get(slot, counter), 0);
    const { rates, within } = this.#rates(slots);
    const evicted = this.#evicted < 0 ? 0 : Math.max(0, totals.evicted - this.#evicted);
    this.#evicted = totals.evicted;
    const workers = slots.map((slot) => ({
      slot,
      pid: store.workers.slotPid(slot),
      subscribers: store.counters.get(slot, Counter.SUBSCRIBERS),
      lag: store.counters.get(slot, Counter.LOOP_LAG_US) / 1000,
    }));
    return {
      at: nowMs,
      ...rates,
      connections: sum(Counter.CONNECTIONS),
      streams: sum(Counter.STREAMS),
      polls: sum(Counter.POLLS),
      sockets: sum(Counter.SOCKETS),
      latency: percentile(rates.fanouts, within),
      lag: Math.max(0, ...workers.map(({ lag }) => lag)),
      channels: totals.channels,
      stored: totals.stored,
      store: totals.blocksUsed / totals.blocksTotal,
      records: totals.channelRecordsUsed / totals.channelRecords,
      evicted,
      replaced: totals.replacedWorkers,
      workers,
    };
  }

  /** What came since the last sample; of a worker that is new, nothing. */
  #rates(slots: readonly number[]): { rates: Record<Rate, number>; within: readonly number[] } {
    const counters = [...Object.values(RATES), ...FANOUT_LATENCIES.map(([, counter]) => counter)];
    const sums = counters.map(() => 0);
    const seen = new Map<number, readonly number[]>();
    for (const slot of slots) {
      const pid = this.#store.workers.slotPid(slot);
      const now = counters.map((counter) => this.#store.counters.get(slot, counter));
      const before = this.#before.get(pid);
      seen.set(pid, now);
      if (before !== undefined)
        for (const [at, value] of now.entries())
          sums[at] = (sums[at] ?? 0) + Math.max(0, value - (before[at] ?? value));
    }
    this.#before = seen;
    const names = Object.keys(RATES) as Rate[];
    const rates = Object.fromEntries(names.map((name, at) => [name, sums[at] ?? 0])) as Record<Rate, number>;
    return { rates, within: sums.slice(names.length) };
  }
}

/** Beyond the last bucket nothing is known but that it took longer. */
function percentile(count: number, within: readonly number[]): number {
  if (count === 0) return 0;
  const at = within.findIndex((sum) => sum >= count * 0.99);
  return at < 0 ? 1000 : (FANOUT_LATENCIES[at]?.[0] ?? 0);
}
