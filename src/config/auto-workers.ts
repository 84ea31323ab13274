/**
 * What `workers = "auto"` means on this machine. A file of its own because a check needs it before the model
 * is built.
 */
import { availableParallelism } from "node:os";

/** Beyond this, "auto" makes no more workers: each costs memory and a counter in every channel record. */
const MAX_AUTO_WORKERS = 64;

/** One worker for each processor this process may use; containers and affinity masks count. */
export const autoWorkers = (): number => Math.min(availableParallelism(), MAX_AUTO_WORKERS);
