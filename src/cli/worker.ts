/**
 * `sluice __worker`: the internal command by which main starts a worker. Not for people and not in `--help`;
 * main.ts loads this file only for that word, because it brings in the whole web application, which main and
 * the client commands never need.
 */
import { runWorker } from "../supervisor/worker/worker.ts";

/** Runs a worker process to its end; the answer is the exit status. */
export const workerCommand = (): Promise<number> => runWorker();
