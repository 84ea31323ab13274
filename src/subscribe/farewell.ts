/**
 * How held connections are sent away when the worker goes: at which rate, and what they are told about coming
 * back. Used by hub.ts and whatever it holds.
 */
export interface Farewell {
  /** Others serve already; otherwise this is the end of the service, perhaps for a restart. */
  readonly isReload: boolean;
  /** When somebody will be there for those who come back (performance.now()). */
  readonly backAtMs: number;
}

export interface Pace {
  /** Connections of this worker; 0 = all at once. */
  readonly perSecond: number;
  /** Goes faster where the rate would take longer. */
  readonly withinMs: number;
}

/**
 * A new main needs less, also when the service manager checks its configuration first; who knocks too early
 * waits twice.
 */
const RESTART_MS = 1500;
/** Should the next server be gone for longer, this is how often each of them knocks. */
const LEAST_RETRY_MS = 250;
/** So that those who left in one moment do not come back in one. */
const RELOAD_JITTER_MS = 1000;
const RESTART_JITTER_MS = 2000;

/** How long `count` connections take at this pace, in ms. */
export const paceMs = (count: number, { perSecond, withinMs }: Pace): number =>
  perSecond === 0 ? 0 : Math.min((count / perSecond) * 1000, withinMs);

/**
 * The least and the spread for those who are turned away, beyond what the refusal says: a crowd that knocks
 * must not knock at once.
 */
const TURNED_AWAY_MS = 1000;
const TURNED_AWAY_JITTER_MS = 9000;

/**
 * For those whose connection breaks without a farewell: the least, the least spread, and the longest anybody
 * is told to wait.
 */
const BROKEN_MS = 1000;
const BROKEN_JITTER_MS = 2000;
const LONGEST_JITTER_MS = 60_000;
/** Where a drain has no rate of its own. */
const COMING_BACK_PER_SECOND = 2000;

export const farewellOf = (isReload: boolean, drainMs: number, nowMs = performance.now()): Farewell => ({
  isReload,
  backAtMs: isReload ? nowMs : nowMs + drainMs + RESTART_MS,
});

/**
 * The field by which an event stream tells how long to wait before coming back (HTML 9.2.6); browsers keep to
 * it from then on.
 */
export const retryLine = (farewell: Farewell, random = Math.random(), nowMs = performance.now()): string =>
  `retry: ${retryMs(farewell, random, nowMs)}\n`;

export function retryMs(
  { isReload, backAtMs }: Farewell,
  random = Math.random(),
  nowMs = performance.now(),
): number {
  const leastMs = Math.max(LEAST_RETRY_MS, backAtMs - nowMs);
  return Math.round(leastMs + random * (isReload ? RELOAD_JITTER_MS : RESTART_JITTER_MS));
}

/** The same for those who are refused for now. */
export const turnedAwayLine = (afterSec: number, random = Math.random()): string =>
  `retry: ${Math.round(TURNED_AWAY_MS + afterSec * 1000 + random * TURNED_AWAY_JITTER_MS)}\n`;

/**
 * The same for those who stand: should all of this crowd lose their connections at once, they come back at
 * about the rate of a drain.
 */
export function crowdLine(crowd: number, perSecond: number, random = Math.random()): string {
  const allMs = (crowd / (perSecond || COMING_BACK_PER_SECOND)) * 1000;
  const spreadMs = Math.min(LONGEST_JITTER_MS, Math.max(BROKEN_JITTER_MS, allMs));
  return `retry: ${Math.round(BROKEN_MS + random * spreadMs)}\n`;
}
