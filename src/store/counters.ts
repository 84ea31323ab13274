/**
 * The per-worker counters kept in a worker's slot: names for the statistics and metrics pages, indices for
 * the writers. A worker writes only its own; they start at 0 when a slot is claimed. New counters go at the
 * end.
 */
export const Counter = {
  /** Open client connections of any kind. */
  CONNECTIONS: 0,
  /** Held connections, not subscriptions (push-stream spec 0.4). */
  SUBSCRIBERS: 1,
  PUBLISHED: 2,
  DELIVERED: 3,
  BYTES_SENT: 4,
  LAGGING: 5,
  CLOSED_SLOW: 6,
  GAPS_TOLD: 7,
  LOOP_LAG_US: 8,
  REFUSED: 9,
  /** Date.now() of the worker's last sign of life. */
  HEARTBEAT_MS: 10,
  REQUESTS: 11,
  BELLS_RUNG: 12,
  BELLS_HEARD: 13,
  LAPPED: 14,
  PUMP_US: 15,
  /** Of a cluster: publishes that the engine took, and how long they took in sum. */
  ENGINE_PUBLISHES: 16,
  ENGINE_PUBLISH_US: 17,
  /** How many of them took at most 1, 2, 5, 20, 100 and 500 ms: each includes those before it. */
  ENGINE_WITHIN_1_MS: 18,
  ENGINE_WITHIN_2_MS: 19,
  ENGINE_WITHIN_5_MS: 20,
  ENGINE_WITHIN_20_MS: 21,
  ENGINE_WITHIN_100_MS: 22,
  ENGINE_WITHIN_500_MS: 23,
  /** Messages that came again with their idempotency key. */
  DUPLICATES: 24,
  /**
   * Of handlers: runs of timers, those of them that failed, those that were passed over as the one before had
   * not ended; answers begun.
   */
  TIMERS_RUN: 40,
  TIMERS_FAILED: 41,
  TIMERS_SKIPPED: 42,
  ANSWERS_MADE: 43,
  /** Held connections by kind: streams and event streams, long polls, WebSockets. */
  STREAMS: 25,
  POLLS: 26,
  SOCKETS: 27,
  /**
   * From a publish, here or heard of, to the last write of its turn: how often, how long in sum, and within
   * how many ms.
   */
  FANOUTS: 28,
  FANOUT_US: 29,
  FANOUT_WITHIN_1_MS: 30,
  FANOUT_WITHIN_2_MS: 31,
  FANOUT_WITHIN_5_MS: 32,
  FANOUT_WITHIN_20_MS: 33,
  FANOUT_WITHIN_100_MS: 34,
  FANOUT_WITHIN_500_MS: 35,
  /** Refusals by status; those of a status that has no counter of its own are in REFUSED alone. */
  REFUSED_400: 44,
  REFUSED_401: 45,
  REFUSED_403: 46,
  REFUSED_413: 47,
  REFUSED_429: 48,
  REFUSED_500: 49,
  REFUSED_502: 50,
  REFUSED_503: 51,
} as const;

export type Counter = (typeof Counter)[keyof typeof Counter];

/** Buckets of the latency of publishing through an engine. */
export const ENGINE_LATENCIES: readonly (readonly [limitMs: number, counter: Counter])[] = [
  [1, Counter.ENGINE_WITHIN_1_MS],
  [2, Counter.ENGINE_WITHIN_2_MS],
  [5, Counter.ENGINE_WITHIN_5_MS],
  [20, Counter.ENGINE_WITHIN_20_MS],
  [100, Counter.ENGINE_WITHIN_100_MS],
  [500, Counter.ENGINE_WITHIN_500_MS],
];

/** Buckets of the time from a publish to the last write of its turn. */
export const FANOUT_LATENCIES: readonly (readonly [limitMs: number, counter: Counter])[] = [
  [1, Counter.FANOUT_WITHIN_1_MS],
  [2, Counter.FANOUT_WITHIN_2_MS],
  [5, Counter.FANOUT_WITHIN_5_MS],
  [20, Counter.FANOUT_WITHIN_20_MS],
  [100, Counter.FANOUT_WITHIN_100_MS],
  [500, Counter.FANOUT_WITHIN_500_MS],
];

/** Statuses that are counted apart. */
export const REFUSED_STATUSES: readonly (readonly [status: number, counter: Counter])[] = [
  [400, Counter.REFUSED_400],
  [401, Counter.REFUSED_401],
  [403, Counter.REFUSED_403],
  [413, Counter.REFUSED_413],
  [429, Counter.REFUSED_429],
  [500, Counter.REFUSED_500],
  [502, Counter.REFUSED_502],
  [503, Counter.REFUSED_503],
];
