/**
 * What the engine of a worker is told before any code runs, by main (worker-process.ts), which is the only
 * one that can. Figures: bench/idle-memory.md.
 *
 * How much it allocates between two collections of garbage: it takes the mapped store for a part of its heap
 * and lets garbage grow to a third of the whole: with a store of 1 GiB, 80 MB of dead requests stayed in each
 * worker. And of ten thousand clients that come in a burst each kept 1 to 2 kB for good, in blocks and native
 * pages that what is alive shares with what is not. Collecting every 2 MiB costs a publish nothing that can
 * be measured, also beside thousands of held connections: what is allocated stays in the cache.
 *
 * How often a function has run before the first of its optimizing compilers (DFG) takes it: a tenth of what
 * it is by itself, which is doubled on machines with few cores. A handshake calls some 300 functions: most
 * are compiled while the first hundred clients come and not while the first thousands do, which spares these
 * a tenth. What a worker keeps of it (2 to 3 MB) is the same.
 *
 * How often it has run before the last of them (FTL) takes it: six times as often as by itself. Ten thousand
 * handshakes are then too few to have all that a handshake calls compiled once more, which took 3 to 4 MB of
 * a worker for good. What messages pass is called that often within the first half second of any load; ten
 * times as often was felt in what a publish costs for seconds.
 */
const BYTES_BETWEEN = 2 * 2 ** 20;
const DFG_AFTER = 100;
const FTL_AFTER = 400_000;
const FTL_SOON_AFTER = 6000;

export const ENGINE_VARIABLES: Readonly<Record<string, string>> = {
  BUN_JSC_gcMaxHeapSize: String(BYTES_BETWEEN),
  BUN_JSC_thresholdForOptimizeAfterWarmUp: String(DFG_AFTER),
  BUN_JSC_thresholdForOptimizeAfterLongWarmUp: String(DFG_AFTER),
  BUN_JSC_thresholdForOptimizeSoon: String(DFG_AFTER),
  BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: String(FTL_AFTER),
  BUN_JSC_thresholdForFTLOptimizeSoon: String(FTL_SOON_AFTER),
};

/** In the worker: they were read, and are nothing for handlers and what they start. */
export function forgetEngineVariables(): void {
  for (const name of Object.keys(ENGINE_VARIABLES)) delete process.env[name];
}
