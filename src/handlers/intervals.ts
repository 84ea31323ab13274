/**
 * Reads what a handler file exports as `every`: intervals, as the configuration writes times, and what is run
 * at each. Called by loader.ts.
 */
import { parseDuration } from "../config/units.ts";
import type { Work } from "./tasks.ts";

export interface Every {
  /** As it is written. */
  readonly text: string;
  readonly intervalMs: number;
  readonly run: Work;
}

const MOST = 32;
const LEAST_MS = 1000;
const MOST_MS = 24 * 3600 * 1000;

/** Throws a TypeError for what is none. */
export function intervalsOf(every: unknown): readonly Every[] {
  if (every === undefined || every === null) return [];
  if (typeof every !== "object") throw new TypeError('the export "every" is not an object');
  const entries = Object.entries(every);
  if (entries.length > MOST) throw new TypeError(`the export "every" has more than ${MOST} intervals`);
  return entries.map(([text, run]: [string, unknown]) => {
    const intervalMs = parseDuration(text) ?? 0;
    if (intervalMs < LEAST_MS || intervalMs > MOST_MS)
      throw new TypeError(`"${text}" is no interval of "every": 1s to 24h are, as "30s" or "5m"`);
    if (typeof run !== "function") throw new TypeError(`every["${text}"] is not a function`);
    return { text, intervalMs, run: run as Work };
  });
}
