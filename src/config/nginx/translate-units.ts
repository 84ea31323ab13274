/** Times and sizes as our own file writes them (config/units.ts reads them back). Used by translate-*.ts. */
import { DURATION_UNITS } from "../units.ts";

const SIZE_UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
];

/** "1h30m", "500ms", "0s". */
export function durationText(ms: number): string {
  let text = "";
  let rest = ms;
  for (const [unit, unitMs] of DURATION_UNITS) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text || "0s";
}

/** "32MiB"; a number of bytes where no unit fits. */
export function sizeValue(bytes: number): string | number {
  const fitting = SIZE_UNITS.find(([, unitBytes]) => bytes > 0 && bytes % unitBytes === 0);
  return fitting === undefined ? bytes : `${bytes / fitting[1]}${fitting[0]}`;
}
