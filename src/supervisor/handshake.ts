/**
 * Every message between main and a worker, typed, in one file. Data never travels here: messages, counters
 * and the heartbeat go through the store (style rule 57), so this channel carries a handful of lines in a
 * worker's life.
 *
 *   main ── start ──► worker        main ── drain ──► worker (quit before it is possible)
 *   main ◄── ready ── worker        main ◄── quiet ── worker ─┐
 *   main ◄── failed ─ worker        main ── close ──► worker  ├ where others go on listening (handover.ts)
 *   (which then exits 1)            main ◄── deaf ─── worker ─┘
 *   main ── reopen ─► worker        main ◄── drained ─ worker (which then exits 0)
 *   main ── steer ──► worker        main ◄── leaving ─ worker (told to go by others; the answer is drain)
 *   main ◄── steered ─ worker
 *
 * There is no "reload": a reload is a new generation of workers, and the old one is drained. The channel is
 * Bun's IPC; handshake-channel.ts says what goes over it, and what is believed. When main dies the channel
 * closes, which is how a worker learns of it.
 */
import type { Drain } from "../app/running-worker.ts";
import type { Config } from "../config/model.ts";
import type { ListeningSocket } from "./sockets/listening-sockets.ts";
import type { Steering } from "./sockets/socket-groups.ts";

/** The internal command line word that makes this executable a worker (cli/worker.ts). */
export const WORKER_COMMAND = "__worker";
export const MEND_COMMAND = "__mend";

export interface StartMessage {
  readonly kind: "start";
  /** Its `listen` is this worker's share: see `shareOf` in addresses.ts. */
  readonly config: Config;
  readonly storePath: string;
  /** The worker slot in the store that main claimed for the worker's pid. */
  readonly slot: number;
  readonly generation: number;
}

export interface DrainMessage {
  readonly kind: "drain";
  readonly how: Drain;
  /** Others go on listening, and main says when the sockets may be closed. */
  readonly awaitsWord: boolean;
}

/** `again`: new connections may have come since it was quiet. */
export interface CloseMessage {
  readonly kind: "close";
  readonly again: boolean;
}

/** To one worker, for all that listen where it does. */
export interface SteerMessage {
  readonly kind: "steer";
  readonly steering: readonly Steering[];
  /** Date.now() until which it holds: a worker that is very busy may read it when the places have changed. */
  readonly untilMs: number;
}

/** SIGQUIT: no new connections, and each one held stays until its own timer is due (push-stream spec 8.2). */
export interface QuitMessage {
  readonly kind: "quit";
}

/** SIGUSR1: the log files were moved away, open them again. */
export interface ReopenMessage {
  readonly kind: "reopen";
}

export interface ReadyMessage {
  readonly kind: "ready";
  readonly addresses: readonly string[];
  /** Its TCP sockets. */
  readonly sockets: readonly ListeningSocket[];
}

export interface SteeredMessage {
  readonly kind: "steered";
  /** Of the message that is answered. */
  readonly untilMs: number;
  readonly fault: string | null;
}

/** Why a worker is about to exit 1: sentences for people. */
export interface FailedMessage {
  readonly kind: "failed";
  readonly faults: readonly string[];
}

/**
 * What a worker has come to on its way out: nobody waits at its doors; they are closed; its subscribers are
 * gone.
 */
export interface LeavingMessage {
  readonly kind: "leaving" | "quiet" | "deaf" | "drained";
}

export type ToWorker =
  | StartMessage
  | SteerMessage
  | DrainMessage
  | CloseMessage
  | QuitMessage
  | ReopenMessage;
export type FromWorker = ReadyMessage | SteeredMessage | FailedMessage | LeavingMessage;
