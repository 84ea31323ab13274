// The few statistics the rows report. Medians, because the machines this runs on are shared and noise only
// adds.

/** Middle value; the mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return (upper + (sorted[(sorted.length >> 1) - 1] ?? Number.NaN)) / 2;
}

/** Nearest-rank percentile, `share` from 0 to 1; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** `a[i] / b[i]` for each round. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value / (b[index] ?? Number.NaN));
}

/** "3.71 (3.58 to 3.90)": median and range. */
export function withRange(values: readonly number[], digits = 2): string {
  const low = Math.min(...values).toFixed(digits);
  return `${median(values).toFixed(digits)} (${low} to ${Math.max(...values).toFixed(digits)})`;
}
