/** What goes into main's life (supervisor.ts) and what comes out of it, for cli/serve.ts, which begins it. */
import type { Config } from "../config/model.ts";
import type { OpenReport } from "../store/store.ts";

export type ConfigOutcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[] };

/** What is told when all workers are ready. */
export interface Serving {
  readonly listen: readonly string[];
  readonly workers: number;
  readonly storePath: string;
  readonly storeBytes: number;
  /** Channels that may live at a time. */
  readonly channelRecords: number;
  readonly report: OpenReport;
  /** The limit of open files of main and each worker. */
  readonly descriptors: number;
}

export interface SupervisorOptions {
  readonly config: Config;
  /** What an earlier run left in the store is not wanted. */
  readonly isFresh?: boolean;
  /** Reads the configuration again, for SIGHUP. */
  readonly reload: () => ConfigOutcome;
  readonly onServing: (serving: Serving) => void;
}

/** Exit status for the process, and the sentences to print when it is not 0. */
export interface SupervisionEnd {
  readonly code: 0 | 1;
  readonly faults: readonly string[];
}
