/**
 * What handlers of a worker share: the store, fan-out, and the list of those that a drain has to end. Made
 * once by app.ts.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Config } from "../config/model.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { Arrival, HooksOf } from "../front/location-hooks.ts";
import type { Ingest } from "../publish/ingest.ts";
import { Answers } from "./answers.ts";
import type { AnswerLeases } from "./clustered-answers.ts";
import { Dictionaries } from "./dictionaries.ts";
import type { HandlerFiles } from "./loader.ts";
import { Tasks } from "./tasks.ts";
import { type NodeLease, TimerTurn } from "./timer-turn.ts";
import { Timers } from "./timers.ts";

/** Something that runs and is to be told when the server is about to stop. */
export interface Running {
  goAway(): void;
}

export interface HandlerHostOptions {
  readonly config: Config;
  readonly ingest: Ingest;
  readonly fanout: Fanout;
  readonly files: HandlerFiles;
  readonly idleSec: number;
  /** The dictionaries lie beside it. */
  readonly storePath: string;
  /** Of a cluster: which node runs timers; absent: this one. */
  readonly timerTurn?: NodeLease | null;
  /** Which node makes which answer; absent: this one. */
  readonly answerLeases?: AnswerLeases | null;
}

export class HandlerHost {
  readonly config: Config;
  readonly ingest: Ingest;
  readonly fanout: Fanout;
  readonly files: HandlerFiles;
  /** The listeners close a connection on which nothing moves for so long. */
  readonly idleSec: number;
  draining = false;
  /**
   * What has to know of those who are held, by a grant or for their address: set by app.ts; null: nothing.
   */
  hooks: HooksOf | null = null;
  readonly dictionaries: Dictionaries;
  readonly tasks = new Tasks(this);
  readonly answers: Answers;
  readonly #timers: Timers;
  readonly #running = new Set<Running>();

  constructor(options: HandlerHostOptions) {
    const { config, ingest, fanout, files, idleSec, storePath, timerTurn, answerLeases } = options;
    this.config = config;
    this.ingest = ingest;
    this.fanout = fanout;
    this.files = files;
    this.idleSec = idleSec;
    this.dictionaries = new Dictionaries(storePath, config.shared ?? []);
    this.answers = new Answers(this, answerLeases ?? null);
    this.#timers = new Timers(this, new TimerTurn(timerTurn ?? null));
    this.#timers.start(files.all, (path) => timeoutOf(config, path));
  }

  /** Something runs that a worker which leaves should wait for. */
  get isBusy(): boolean {
    return this.tasks.isBusy || this.answers.isBusy;
  }

  /** null: nobody has to know. */
  arrival(located: LocatedRequest): Arrival | null {
    return this.hooks?.(located.index)?.arrival(located) ?? null;
  }

  add(running: Running): void {
    this.#running.add(running);
    // It was let in just before the drain.
    if (this.draining) queueMicrotask(() => this.#running.has(running) && running.goAway());
  }

  /** Idempotent. */
  remove(running: Running): void {
    this.#running.delete(running);
  }

  /** The server stops: every signal aborts, sockets close; streams may say a last word. */
  sendAway(): void {
    this.draining = true;
    for (const running of [...this.#running]) running.goAway();
    this.#timers.leave();
    this.tasks.leave();
  }

  /** What was waited for has not ended. */
  abandon(): void {
    this.answers.abandon();
  }
}

/** The longest time that a location gives this file. */
function timeoutOf({ locations }: Config, path: string): number {
  const codes = locations.map(({ code }) => code).filter((code) => code !== null);
  const own = codes.filter((code) => [code.handler, code.authorize, code.hooks].includes(path));
  return Math.max(...own.map(({ timeoutMs }) => timeoutMs), 0) || LEAST_TIMEOUT_MS;
}

const LEAST_TIMEOUT_MS = 30_000;
