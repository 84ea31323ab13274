/**
 * What the engine of a worker is told before any code runs, by main (worker-process.ts), which is the only
 * one that can.
 *
 * How much it allocates between two collections of garbage: it takes the mapped store for a part of its heap
 * and lets garbage grow to a third of the whole: with a store of 1 GiB, 80 MB of dead requests stayed in each
 * worker. And of ten thousand clients that come in a burst each kept 1 to 2 kB for good, in blocks and native
 * pages that what is alive shares with what is not. Collecting every 8 MiB costs a publish nothing that can
 * be measured (0.93 to 1.0x, as what is allocated stays in the cache); every 4 MiB saved 0.2 kB more a
 * connection.
 */
const BYTES_BETWEEN = 8 * 2 ** 20;

export const ENGINE_VARIABLES: Readonly<Record<string, string>> = {
  BUN_JSC_gcMaxHeapSize: String(BYTES_BETWEEN),
};

/** In the worker: they were read, and are nothing for handlers and what they start. */
export function forgetEngineVariables(): void {
  for (const name of Object.keys(ENGINE_VARIABLES)) delete process.env[name];
}
