/**
 * One worker process as main sees it: starts the executable again, carries typed messages, tells once when it
 * is gone. Owned by a seat of generation.ts, which decides what a death means.
 *
 * The process is started before main knows its slot (main may still be opening the store): it loads its code
 * meanwhile and waits for the start message.
 */
import type { Drain } from "../../app/running-worker.ts";
import { causeOf, log } from "../../log.ts";
import type { Handed } from "../handover.ts";
import { type StartMessage, type ToWorker, WORKER_COMMAND } from "../handshake.ts";
import { CHANNEL_FORM, packed, readFromWorker } from "../handshake-channel.ts";
import type { ListeningSocket } from "../sockets/listening-sockets.ts";
import type { Steering } from "../sockets/socket-groups.ts";
import { childEnvironment, ownProgram } from "./own-program.ts";
import { ENGINE_VARIABLES } from "./worker-engine.ts";

export interface WorkerExit {
  readonly pid: number;
  /** -1 when it died before it had one. */
  readonly slot: number;
  /** "killed by SIGKILL", "exit code 1". */
  readonly cause: string;
  /** What the worker itself said before it left. */
  readonly faults: readonly string[];
  /** How long it had been ready; 0 = never. */
  readonly readyMs: number;
}

export interface WorkerListener {
  ready(worker: WorkerProcess): void;
  /** Somebody else than main told it to go; it waits for its drain. */
  leaving(worker: WorkerProcess): void;
  exited(worker: WorkerProcess, exit: WorkerExit): void;
}

/** The exit may be seen before the last messages: this long is waited for the channel to close. */
const LAST_WORDS_MS = 100;
const GONE = "is gone";

export class WorkerProcess implements Handed {
  readonly pid: number;
  readonly startedAt = performance.now();
  slot = -1;
  sockets: readonly ListeningSocket[] = [];
  #quiet = Promise.withResolvers<void>();
  #deaf = Promise.withResolvers<void>();
  #steered = { untilMs: 0, ...Promise.withResolvers<string | null>() };
  #process: Bun.Subprocess;
  #listener: WorkerListener;
  #faults: readonly string[] = [];
  #readyAt = 0;
  #cause: string | null = null;
  #channelClosed = false;
  #told = false;
  #sentForeign = false;

  /** Starts the process; throws what spawn throws (no descriptors or processes left). */
  constructor(lockDescriptor: number, listener: WorkerListener) {
    this.#listener = listener;
    this.#process = Bun.spawn([...ownProgram(), WORKER_COMMAND], {
      argv0: "sluice: worker",
      stdio: ["ignore", "inherit", "inherit", lockDescriptor],
      env: { ...childEnvironment(), ...ENGINE_VARIABLES },
      serialization: CHANNEL_FORM,
      ipc: (message) => this.#receive(message),
      onDisconnect: () => {
        this.#channelClosed = true;
        this.#settle();
      },
      onExit: (_process, code, signal) => {
        this.#cause = signal === null ? `exit code ${code}` : `killed by ${signalName(signal)}`;
        this.#settle();
        setTimeout(() => this.#settle(true), LAST_WORDS_MS);
      },
    });
    this.pid = this.#process.pid;
  }

  get isReady(): boolean {
    return this.#readyAt > 0 && this.#cause === null;
  }

  start(message: StartMessage): void {
    this.slot = message.slot;
    this.#send(message);
  }

  drain(how: Drain, awaitsWord: boolean): void {
    this.#send({ kind: "drain", how, awaitsWord });
  }

  /** Nobody waits to be accepted. */
  get quiet(): Promise<void> {
    return this.#quiet.promise;
  }

  /** It listens no more. */
  get deaf(): Promise<void> {
    return this.#deaf.promise;
  }

  steer(steering: readonly Steering[], untilMs: number): Promise<string | null> {
    if (!this.isReady) return Promise.resolve(GONE);
    this.#steered = { untilMs, ...Promise.withResolvers<string | null>() };
    this.#send({ kind: "steer", steering, untilMs });
    return this.#steered.promise;
  }

  close(again: boolean): void {
    this.#send({ kind: "close", again });
  }

  quit(): void {
    this.#send({ kind: "quit" });
  }

  reopenLogs(): void {
    this.#send({ kind: "reopen" });
  }

  /** Ends it without asking. `fault` is kept as the reason when main has one. */
  kill(fault?: string): void {
    if (fault !== undefined) this.#faults = [fault];
    this.#process.kill("SIGKILL");
  }

  #send(message: ToWorker): void {
    if (this.#cause !== null || this.#channelClosed) return; // its death is about to be told, or was
    try {
      this.#process.send(packed(message));
    } catch (error) {
      // Its end of the channel has closed, which onDisconnect has not said yet.
      log("debug", "a worker that leaves was not reached", { pid: this.pid, cause: causeOf(error) });
    }
  }

  #receive(value: unknown): void {
    const message = readFromWorker(value);
    // It is ready once, and not before it was started.
    const isOutOfTurn = message?.kind === "ready" && (this.slot < 0 || this.#readyAt > 0);
    if (message === null || isOutOfTurn) {
      this.#noteForeign();
      return;
    }
    if (message.kind === "failed") this.#faults = message.faults;
    else if (message.kind === "steered") this.#answered(message.untilMs, message.fault);
    else if (message.kind === "quiet") this.#quiet.resolve();
    else if (message.kind === "deaf") this.#hearsNoMore();
    else if (message.kind === "leaving") this.#listener.leaving(this);
    else if (message.kind === "ready") {
      this.#readyAt = performance.now();
      this.sockets = message.sockets;
      this.#listener.ready(this);
    }
  }

  /** Once: code in the worker may send as much of it as it likes. */
  #noteForeign(): void {
    if (this.#sentForeign) return;
    this.#sentForeign = true;
    log("error", "a worker sent something that is not in the handshake; it is not heeded", {
      pid: this.pid,
    });
  }

  /** An answer that nobody waits for any more is none to what was asked since. */
  #answered(untilMs: number, fault: string | null): void {
    if (untilMs === this.#steered.untilMs) this.#steered.resolve(fault);
  }

  /** Which is quiet as well, also for one that could not look whether it was. */
  #hearsNoMore(): void {
    this.#quiet.resolve();
    this.#deaf.resolve();
  }

  #settle(overdue = false): void {
    if (this.#told || this.#cause === null || !(this.#channelClosed || overdue)) return;
    this.#told = true;
    this.#steered.resolve(GONE);
    this.#hearsNoMore();
    const readyMs = this.#readyAt > 0 ? performance.now() - this.#readyAt : 0;
    const { pid, slot } = this;
    this.#listener.exited(this, { pid, slot, cause: this.#cause, faults: this.#faults, readyMs });
  }
}

const signalName = (signal: number | string): string =>
  typeof signal === "string" ? signal : `signal ${signal}`;
