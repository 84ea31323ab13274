/**
 * What a worker's server is given, what it can be asked for, and how it is told to leave. Apart from app.ts,
 * which makes one, so that main, which only passes these on, need not know what a worker is made of.
 */
import type { Config } from "../config/model.ts";
import type { HandlerFiles } from "../handlers/loader.ts";
import type { Doors } from "../listen/doors.ts";
import type { Store } from "../store/store.ts";

export interface WorkerOptions {
  readonly config: Config;
  readonly store: Store;
  /** Claimed in the store for this process. */
  readonly slot: number;
  /** The doorbells lie beside it. */
  readonly storePath: string;
  /** Somebody's code, loaded or loading; without it that is begun here. */
  readonly handlerFiles?: HandlerFiles;
  /** Knows when the listening sockets may be closed; without it they are at once. */
  readonly doors?: Doors;
  /** Open connections this worker takes; 0 = no limit. */
  readonly maxConnections: number;
  /** File descriptors they may take; absent: no limit. Some take more than one. */
  readonly maxDescriptors?: number;
}

/** How a worker leaves. */
export interface Drain {
  /** Milliseconds until what is still connected is cut off. */
  readonly deadlineMs: number;
  /** Subscribers of this worker sent away per second; 0 = all at once. */
  readonly perSecond: number;
  /** The next workers listen already. */
  readonly isReload: boolean;
}

export interface RunningWorker {
  /** Where it listens, as URLs or unix:paths. */
  readonly addresses: readonly string[];
  /**
   * Stops listening, ends what is held, resolves when all connections are gone or the time is over. Where
   * nobody listens yet and the subscribers take a while to go, publishers are served until the last of them
   * was told.
   */
  drain(how: Drain): Promise<void>;
  /**
   * Stops listening, and resolves when all that is held has ended by its own timer or its client, however
   * long that takes (push-stream spec 8.2, QUIT). A drain meanwhile ends it.
   */
  quit(): Promise<void>;
  /** The access logs were moved away: opens them again. */
  reopenLogs(): void;
  stop(): void;
}
