// How long and how often each row measures. Passed to every row by run.ts; the quick plan keeps the shape of
// the full one (same rows, interleaved rounds), shortens the samples and makes the largest crowds smaller
// (the figures say how large).

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
  /**
   * Rest of a fresh server before its first reading: sluice's first sweeps touch the store's pages for 2 s.
   */
  readonly baselineMs: number;
  /** Rest between the last connection and the second reading. */
  readonly settleMs: number;
  readonly startups: number;
  /** Of the crowds that come, and come back. */
  readonly connections: number;
  readonly tlsConnections: number;
  readonly roomSockets: number;
  readonly roomMs: number;
  readonly neighbourMs: number;
  readonly idleSockets: number;
  /** At least two pings long. */
  readonly idleMs: number;
  readonly raceTrials: number;
  /** Of one channel, whose list is read. */
  readonly members: number;
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
  connections: 10_000,
  tlsConnections: 2000,
  roomSockets: 32_000,
  roomMs: 10_000,
  neighbourMs: 5000,
  idleSockets: 200_000,
  idleMs: 60_000,
  raceTrials: 2000,
  members: 100_000,
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
  connections: 2000,
  tlsConnections: 300,
  roomSockets: 8000,
  roomMs: 3000,
  neighbourMs: 2000,
  idleSockets: 20_000,
  idleMs: 26_000,
  raceTrials: 300,
  members: 20_000,
};
