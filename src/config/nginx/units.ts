/**
 * The values of nginx directives: sizes, times, flags, numbers (push-stream spec 1.1). Called by the
 * translation of directives, which knows the name for "invalid value". Not the units of sluice's own file
 * (config/units.ts): `1M` is a month here and `MiB` is nothing, because what nginx refuses should not pass by
 * accident.
 */
const K = 1024;
const SIZE_FACTORS: ReadonlyMap<string, number> = new Map([
  ["k", K],
  ["K", K],
  ["m", K ** 2],
  ["M", K ** 2],
]);

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds of each unit, longest first: each may come once, and only after longer ones. */
const UNIT_SECONDS: readonly (readonly [unit: string, seconds: number])[] = [
  ["y", 365 * DAY],
  ["M", 30 * DAY],
  ["w", 7 * DAY],
  ["d", DAY],
  ["h", HOUR],
  ["m", MINUTE],
  ["s", 1],
  ["ms", 0.001],
  ["", 1],
];

/** One number with its unit, and the spaces nginx allows behind it: "1h 30m". */
const TIME_PART = /(\d{1,20})(ms|[yMwdhms]?) */y;

/** A decimal number of digits only; null for anything else and from 2^53 on. */
export const parseNumber = (text: string): number | null =>
  /^\d{1,20}$/.test(text) ? safe(Number(text)) : null;

/** Bytes in "4096", "10k", "32M"; null when it is not a size. */
export function parseSize(text: string): number | null {
  const factor = SIZE_FACTORS.get(text.slice(-1));
  return factor === undefined ? parseNumber(text) : scaled(text.slice(0, -1), factor);
}

/** As a size, and "2g": nginx takes gigabytes only where a file's length is meant (client_max_body_size). */
export const parseOffset = (text: string): number | null =>
  /g$/i.test(text) ? scaled(text.slice(0, -1), K ** 3) : parseSize(text);

/**
 * Seconds in "30", "30s", "1h30m", "1M" (30 days), "1y" (365 days); null when it is not a time in whole
 * seconds.
 */
export const parseSeconds = (text: string): number | null => parseTime(text, "ms", 1);

/**
 * Milliseconds in "30" (seconds), "500ms", "1m500ms", "1w"; years are refused. nginx refuses months here,
 * too; spec 1.1 does not.
 */
export const parseMilliseconds = (text: string): number | null => parseTime(text, "y", 1000);

/** true for "on", false for "off", in any case; null for anything else. */
export function parseFlag(text: string): boolean | null {
  const lower = text.toLowerCase();
  return lower === "on" ? true : lower === "off" ? false : null;
}

/** `perSecond`: units of the answer in a second. */
function parseTime(text: string, refusedUnit: string, perSecond: number): number | null {
  let total = 0;
  let nextUnit = 0;
  TIME_PART.lastIndex = 0;
  for (let at = 0; at < text.length; at = TIME_PART.lastIndex) {
    TIME_PART.lastIndex = at;
    const [, digits = "", unit = ""] = TIME_PART.exec(text) ?? [];
    const index = UNIT_SECONDS.findIndex(([name]) => name === unit);
    if (digits === "" || index < nextUnit || unit === refusedUnit) return null;
    nextUnit = index + 1;
    total += Math.round(Number(digits) * (UNIT_SECONDS[index]?.[1] ?? 0) * perSecond);
  }
  return text === "" ? null : safe(total);
}

function scaled(digits: string, factor: number): number | null {
  const count = parseNumber(digits);
  return count === null ? null : safe(count * factor);
}

const safe = (value: number): number | null => (Number.isSafeInteger(value) ? value : null);
