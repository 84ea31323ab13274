/**
 * The per-worker counters kept in a worker's slot: names for the statistics and metrics pages, indices for the writers. A
 * worker writes only its own; they start at 0 when a slot is claimed. New counters go at the end.
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
} as const;

export type Counter = (typeof Counter)[keyof typeof Counter];
