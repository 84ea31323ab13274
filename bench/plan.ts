// How long and how often each row measures. Passed to every row by run.ts; the quick plan keeps the shape of the
// full one (same rows, same sizes, interleaved rounds) and only shortens the samples, so it is noisier, not different.

export interface Plan {
  /** Interleaved rounds of a row; the row reports the median over them. */
  readonly rounds: number;
  /** Length of one sample of one contender. */
  readonly sampleMs: number;
  /** Unmeasured run of each contender first, so that JIT and heap are warm. */
  readonly warmUpMs: number;
  readonly latencyRounds: number;
  readonly latencyMs: number;
  readonly memoryRounds: number;
  /** Rest of a fresh server before its first reading: sluice's first sweeps touch the store's pages for 2 s. */
  readonly baselineMs: number;
  /** Rest between the last connection and the second reading. */
  readonly settleMs: number;
  readonly startups: number;
}

export const FULL: Plan = {
  rounds: 5,
  sampleMs: 1500,
  warmUpMs: 1000,
  latencyRounds: 4,
  latencyMs: 15_000,
  memoryRounds: 5,
  baselineMs: 3000,
  settleMs: 3000,
  startups: 11,
};

export const QUICK: Plan = {
  rounds: 3,
  sampleMs: 400,
  warmUpMs: 300,
  latencyRounds: 2,
  latencyMs: 4000,
  memoryRounds: 1,
  baselineMs: 3000,
  settleMs: 1500,
  startups: 5,
};
