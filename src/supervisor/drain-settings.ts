/**
 * How a configuration says that workers leave: all of a generation (supervisor.ts), or one by itself, whom
 * another replaces at once.
 */
import type { Drain } from "../app/running-worker.ts";
import type { Config } from "../config/model.ts";

/** A worker's share of the stop: the rest of the time is main's, for SIGKILL and tidying. */
const MARGIN_MS = 500;
const SHORTEST_DRAIN_MS = 250;

export const drainOf = ({ shutdownTimeoutMs, drainRate }: Config, isReload: boolean): Drain => ({
  deadlineMs: shutdownTimeoutMs,
  perSecond: drainRate,
  isReload,
});

/** `workers` share the rate. */
export const seatDrainOf = (config: Config, workers: number): Drain => {
  const how = drainOf(config, true);
  return { ...how, perSecond: how.perSecond / workers };
};

/** When main kills who is still there, and the time that the workers are given. */
export function drainLimits(deadlineMs: number): { readonly killAfterMs: number; readonly workerMs: number } {
  const killAfterMs = Math.max(deadlineMs, SHORTEST_DRAIN_MS);
  return { killAfterMs, workerMs: Math.max(0, killAfterMs - Math.min(MARGIN_MS, killAfterMs / 4)) };
}
