/**
 * What a worker process runs: the web application (app.ts) inside a worker's life (worker-life.ts). Called by
 * cli/worker.ts.
 */
import { startWorker } from "../../app.ts";
import { forgetEngineVariables } from "./worker-engine.ts";
import { liveAsWorker } from "./worker-life.ts";

/** Runs a worker until its end; the answer is the exit status. */
export function runWorker(): Promise<number> {
  forgetEngineVariables();
  return liveAsWorker(startWorker);
}
