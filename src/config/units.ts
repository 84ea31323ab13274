/**
 * Sizes and times as people write them in a config file. Called by kinds.ts for every option of those kinds;
 * print.ts shows values in the form they were given, so there is no way back from a number to text here;
 * nginx/translate-units.ts has one.
 *
 * A plain k, m or g is a binary multiple and a bare time is seconds because nginx reads them so (push-stream
 * spec 1.1) and the values of an old nginx.conf must keep their meaning.
 */
const SIZE = /^(\d+)\s*([a-z]*)$/i;

const SIZE_FACTORS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1024],
  ["m", 1024 ** 2],
  ["g", 1024 ** 3],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
]);

/**
 * Milliseconds of each unit, longest first: in "1h30m" the units must come in this order, each at most once.
 */
export const DURATION_UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** Bytes in 4096, "4096", "64MiB", "32M", "10kB"; null when it is not a size below 2^53. */
export function parseSize(raw: unknown): number | null {
  if (typeof raw === "number") return Number.isSafeInteger(raw) && raw >= 0 ? raw : null;
  if (typeof raw !== "string") return null;
  const parts = SIZE.exec(raw.trim());
  const factor = SIZE_FACTORS.get((parts?.[2] ?? "?").toLowerCase());
  if (parts === null || factor === undefined) return null;
  const bytes = Number(parts[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * Milliseconds in 15, "15", "15s", "1h30m", "500ms"; null when it is not a time. A bare number is whole
 * seconds.
 */
export function parseDuration(raw: unknown): number | null {
  if (typeof raw === "number") return wholeMs(raw * 1000, raw);
  if (typeof raw !== "string") return null;
  const text = raw.trim();
  if (/^\d+$/.test(text)) return wholeMs(Number(text) * 1000, Number(text));
  return unitsToMs(text);
}

const wholeMs = (ms: number, given: number): number | null =>
  Number.isSafeInteger(given) && given >= 0 && Number.isSafeInteger(ms) ? ms : null;

function unitsToMs(text: string): number | null {
  let rest = text;
  let ms = 0;
  for (const [unit, unitMs] of DURATION_UNITS) {
    const part = new RegExp(`^\\s*(\\d+)${unit}(?![a-z])`).exec(rest);
    if (part === null) continue;
    ms += Number(part[1]) * unitMs;
    rest = rest.slice(part[0].length);
  }
  return rest === "" && text !== "" && Number.isSafeInteger(ms) ? ms : null;
}
