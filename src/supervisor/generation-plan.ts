/**
 * What a generation of workers is made of (generation.ts), what came of its start, and the seat of one
 * worker.
 */
import type { Drain } from "../app/running-worker.ts";
import type { Config } from "../config/model.ts";
import type { BackOff } from "./worker/back-off.ts";
import type { WorkerProcess } from "./worker/worker-process.ts";

export type StartOutcome = { readonly ok: true } | { readonly ok: false; readonly faults: readonly string[] };

export interface GenerationPlan {
  readonly number: number;
  readonly workers: number;
  readonly config: Config;
  /** Descriptor of the store's lock, for the workers to hold (lock-file.ts). */
  readonly lockDescriptor: number;
  /** A worker whose event loop stands still for longer is killed. */
  readonly stuckMs: number;
  /** Takes what a dead worker left in the store: perhaps the lock, its subscriber counts, its slot. */
  readonly reclaim: (pid: number, slot: number) => void;
  /** After the start: no worker comes up any more. */
  readonly onCrashLoop: (faults: readonly string[]) => void;
  /** Listens, or is gone. */
  readonly onChange: (worker: WorkerProcess) => void;
  /** Is to be let go while the others serve. */
  readonly onLeaving: (worker: WorkerProcess, others: () => readonly WorkerProcess[], how: Drain) => void;
}

export interface Seat {
  readonly number: number;
  readonly backOff: BackOff;
  worker: WorkerProcess | null;
  restart: ReturnType<typeof setTimeout> | null;
  /** Process id of the worker that died here and has no successor yet; 0 = none. */
  died: number;
}
