/** Numbers and times as people read them. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1, notation: "compact" });

/** @param {number} value */
export const count = (value) => (value < 100_000 ? whole.format(value) : short.format(value));

/** @param {number | null} value */
export const rate = (value) =>
  value === null ? "" : value > 0 && value < 10 ? value.toFixed(1) : count(value);

/** @param {number} value Bytes. */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  for (; value >= 1000 && at < units.length - 1; at++) value /= 1000;
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

/** @param {number} ms */
export const milliseconds = (ms) => (ms >= 1000 ? "over 500 ms" : ms === 0 ? "–" : `≤ ${ms} ms`);

/** @param {number} share Of 1. */
export const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** @param {number} ms Since 1970. */
export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

/** @param {number} sec */
export function duration(sec) {
  if (sec < 120) return `${Math.round(sec)} s`;
  if (sec < 7200) return `${Math.round(sec / 60)} min`;
  return sec < 172_800 ? `${Math.round(sec / 3600)} h` : `${Math.round(sec / 86_400)} days`;
}
