/**
 * The life of a worker process: waits for main's start message, serves, leaves when told to or when main is
 * gone. worker.ts gives it the web application; tests give it a smaller one, so that main is tested without
 * the rest of sluice.
 *
 * Workers are cattle (promise P5): an error nobody caught ends this one, main hears the sentence and starts
 * another. The one exception is running out of file descriptors, which the next connection that closes mends
 * by itself.
 */
import { chownSync } from "node:fs";
import type { Drain, RunningWorker } from "../../app/running-worker.ts";
import type { startWorker } from "../../app.ts";
import type { Config } from "../../config/model.ts";
import { isEnding } from "../../handlers/ending.ts";
import { keepHandlersFromExiting } from "../../handlers/exit-guard.ts";
import { messageOf } from "../../handlers/failure.ts";
import { type HandlerFiles, loadHandlers } from "../../handlers/loader.ts";
import { causeOf, configureLog, log } from "../../log.ts";
import { bellPath } from "../../store/message/doorbell.ts";
import { attachStore } from "../../store/opening.ts";
import type { Store } from "../../store/store.ts";
import { seatDrainOf } from "../drain-settings.ts";
import type { FromWorker, StartMessage } from "../handshake.ts";
import { readToWorker } from "../handshake-channel.ts";
import { connectionLimit, descriptorLimit } from "../service/limits.ts";
import { LogFile } from "../service/log-file.ts";
import { becomeUser, userToBecome } from "../service/user.ts";
import { listenForWorkerSignals, outliveLogReader } from "../signals.ts";
import { isFor, type ListeningSocket, ownListeningSockets } from "../sockets/listening-sockets.ts";
import { tuneSockets } from "../sockets/socket-options.ts";
import { storePolicy } from "../store/store-settings.ts";
import { startPulse } from "./pulse.ts";
import { WorkerDoors } from "./worker-doors.ts";

/** Main hears the last message, or is too busy to: either way the process ends after this long. */
const LAST_WORDS_MS = 200;
const QUIET_MS = 1000;
/** Main answers at once, or is busy, or stopped. */
const ANSWER_MS = 500;

interface Serving {
  readonly message: StartMessage;
  readonly store: Store;
  readonly worker: RunningWorker;
  readonly stopPulse: () => void;
}

/** Runs a worker until its end; the answer is the exit status. 2 when it was not started by main. */
export function liveAsWorker(start: typeof startWorker): Promise<number> {
  if (process.send === undefined) {
    log("error", "this command is internal: `sluice serve` starts workers by itself");
    return Promise.resolve(2);
  }
  return new Promise((resolve) => new WorkerLife(start, resolve).listen());
}

class WorkerLife {
  #startWorker: typeof startWorker;
  #exit: (code: number) => void;
  #serving: Serving | null = null;
  #handlerFiles: HandlerFiles | null = null;
  #logFile = new LogFile();
  #doors = new WorkerDoors((kind) => this.#send({ kind }));
  #draining = false;
  #quitting = false;
  #finished = false;
  #failed = false;
  #quietUntil = 0;

  constructor(start: typeof startWorker, exit: (code: number) => void) {
    this.#startWorker = start;
    this.#exit = exit;
  }

  listen(): void {
    outliveLogReader();
    process.on("message", (value: unknown) => this.#receive(value));
    process.on("disconnect", () => this.#orphaned());
    process.on("uncaughtException", (error) => this.#uncaught(error));
    process.on("unhandledRejection", (reason) => this.#uncaught(reason));
    listenForWorkerSignals(
      () => this.#leaveByItself(),
      () => this.#reopenLogs(),
    );
  }

  #receive(value: unknown): void {
    const message = readToWorker(value);
    if (message === null) this.#fail(["main sent something that is not in the handshake"]);
    else if (message.kind === "drain") this.#drain(message.how, message.awaitsWord);
    else if (message.kind === "steer")
      this.#send({ kind: "steered", untilMs: message.untilMs, fault: this.#doors.steer(message) });
    else if (message.kind === "close") this.#doors.giveWord(message.again);
    else if (message.kind === "quit") this.#quit();
    else if (message.kind === "reopen") this.#reopenLogs();
    else
      this.#start(message).catch((error: unknown) =>
        this.#fail([error instanceof Error ? error.message : String(error)]),
      );
  }

  async #start(message: StartMessage): Promise<void> {
    const { config, slot, storePath } = message;
    configureLog(config.logLevel, `worker ${slot}`, config.logStyle);
    this.#logFile.use(config.errorLog);
    const handlerFiles = await this.#loadHandlers(config);
    // Told to go before there was anything to end.
    if (this.#finished) return;
    const store = attachStore(storePath, storePolicy(config));
    // Main has put what the descriptors allow in the place of 0 (limits.ts).
    const { maxConnections } = config.limits;
    const limits = { maxConnections, maxDescriptors: connectionLimit(0, descriptorLimit()) };
    const doors = this.#doors;
    const worker = this.#startWorker({ config, store, slot, storePath, handlerFiles, doors, ...limits });
    tuneSockets(config.listeners);
    const user = userToBecome(config.user);
    if (typeof user === "string") throw new Error(user);
    if (user !== null) {
      chownSync(bellPath(storePath, slot), user.uid, user.gid);
      becomeUser(user);
    }
    this.#serving = { message, store, worker, stopPulse: startPulse(store, slot, () => this.#orphaned()) };
    this.#send({ kind: "ready", addresses: worker.addresses, sockets: socketsFor(config.listen) });
  }

  /** The first request is not to wait for an import, nor find the sizes of its WebSockets unknown. */
  async #loadHandlers(config: Config): Promise<HandlerFiles> {
    if (config.locations.some(({ code }) => code !== null)) keepHandlersFromExiting();
    this.#handlerFiles = loadHandlers(config);
    await this.#handlerFiles.settle();
    return this.#handlerFiles;
  }

  /**
   * Told to go by somebody else than main, who starts another at once: as in a reload. Main leads new
   * connections past this one first.
   */
  #leaveByItself(): void {
    const config = this.#serving?.message.config;
    if (config === undefined) {
      this.#drain({ deadlineMs: 0, perSecond: 0, isReload: true }, false);
      return;
    }
    const how = seatDrainOf(config, config.workers);
    this.#send({ kind: "leaving" });
    setTimeout(() => this.#drain(how, false), ANSWER_MS);
  }

  #drain(how: Drain, awaitsWord: boolean): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#doors.awaitsWord = awaitsWord;
    this.#finish((worker) => worker.drain(how)).catch((error: unknown) => this.#uncaught(error));
  }

  #quit(): void {
    if (this.#draining || this.#quitting) return;
    this.#quitting = true;
    this.#finish((worker) => worker.quit()).catch((error: unknown) => this.#uncaught(error));
  }

  /** A drain may overtake a quit: whichever is through first ends the worker. */
  async #finish(end: (worker: RunningWorker) => Promise<void>): Promise<void> {
    const serving = this.#serving;
    if (serving !== null) await end(serving.worker);
    if (this.#finished) return;
    this.#finished = true;
    if (serving !== null) {
      serving.worker.stop();
      serving.stopPulse();
      serving.store.close();
    }
    this.#leave(0, { kind: "drained" });
  }

  #uncaught(error: unknown): void {
    if (isOutOfDescriptors(error)) {
      this.#noteOutOfDescriptors();
      return;
    }
    if (this.#handlerFiles?.owns(error) === true) {
      const stack = error instanceof Error ? (error.stack ?? "") : "";
      const level = isEnding(error) ? "debug" : "error";
      log(level, `a handler let an error go: ${messageOf(error)}`, { stack });
      return;
    }
    log("error", `uncaught error: ${causeOf(error)}`);
    if (error instanceof Error) log("debug", "where that came from", { stack: error.stack ?? "" });
    this.#fail([error instanceof Error ? error.message : String(error)]);
  }

  /** May be raised once for every connection that waits: one line a second says as much. */
  #noteOutOfDescriptors(): void {
    const now = performance.now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + QUIET_MS;
    log("warn", "no file descriptors left; new connections wait until others close");
  }

  #fail(faults: readonly string[]): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#leave(1, { kind: "failed", faults });
  }

  /** Nobody would replace us, and the next main waits for our copy of the store's lock: leave at once. */
  #orphaned(): void {
    if (!this.#draining) log("error", "main is gone; leaving");
    this.#exit(this.#draining ? 0 : 1);
  }

  #reopenLogs(): void {
    this.#logFile.reopen();
    this.#serving?.worker.reopenLogs?.();
  }

  #leave(code: number, lastWords: FromWorker): void {
    this.#send(lastWords, () => this.#exit(code));
    setTimeout(() => this.#exit(code), LAST_WORDS_MS);
  }

  #send(message: FromWorker, sent: () => void = () => undefined): void {
    if (process.connected) process.send?.(message, undefined, undefined, sent);
    else sent();
  }
}

/** Those the configuration asks for; somebody's code may have more. */
function socketsFor(listen: readonly string[]): readonly ListeningSocket[] {
  try {
    const own = ownListeningSockets().filter((socket) => listen.some((text) => isFor(text, socket)));
    return own.map(({ local, inode }) => ({ local, inode }));
  } catch (error) {
    log("debug", "listening sockets cannot be found here", { error: String(error) });
    return [];
  }
}

function isOutOfDescriptors(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "EMFILE" || error.code === "ENFILE";
}
