/**
 * Whether something grew while it should have stood still. Used by scripts/soak.ts; looks at the moments of
 * rest only, so that the load, which comes and goes, is not taken for growth.
 */
import type { Look, ProcessLook } from "./watch.ts";

/** Growth that is none: heaps settle, caches fill. Above both the factor and the amount it is drift. */
const BOUNDS = {
  memory: { factor: 1.3, amount: 12 * 2 ** 20 },
  descriptors: { factor: 1, amount: 4 },
  timers: { factor: 1, amount: 4 },
  blocks: { factor: 1, amount: 16 },
} as const;
type What = keyof typeof BOUNDS;
/** A run of fewer says nothing. */
const LEAST_LOOKS = 10;

/** One sentence for each thing that grew. `fromHours`: before that, processes were ended on purpose. */
export function driftsOf(looks: readonly Look[], fromHours: number): string[] {
  const rest = looks.filter(({ isAtRest, hours }) => isAtRest && hours >= fromHours);
  const names = [...new Set(rest.flatMap(({ processes }) => processes.map(({ name }) => name)))];
  const ofProcess = (name: string, what: keyof ProcessLook & What): (number | null)[] =>
    rest.map(({ processes }) => processes.find((one) => one.name === name)?.[what] ?? null);
  const series: (readonly [What, string, readonly (number | null)[]])[] = names.flatMap((name) =>
    (["memory", "descriptors", "timers"] as const).map(
      (what) => [what, `${what} of ${name}`, ofProcess(name, what)] as const,
    ),
  );
  series.push(["blocks", "blocks of the empty store", rest.map(({ blocks }) => blocks)]);
  return series.flatMap(([what, title, values]) => driftOf(what, title, values));
}

function driftOf(what: What, title: string, all: readonly (number | null)[]): string[] {
  const values = all.filter((value) => value !== null);
  if (values.length < LEAST_LOOKS) return [];
  const fifth = Math.floor(values.length / 5);
  const before = median(values.slice(fifth, 2 * fifth));
  const after = median(values.slice(-fifth));
  const { factor, amount } = BOUNDS[what];
  return after > before * factor && after > before + amount
    ? [`${title}: ${before} in the second fifth, ${after} in the last`]
    : [];
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
