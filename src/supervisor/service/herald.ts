/**
 * What main says about itself to the outside: to systemd (service-manager.ts) and to `sluice reload`
 * (reload-board.ts). The supervisor tells it what happens; when and in which words that is passed on is
 * decided here.
 */

import type { Store } from "../../store/store.ts";
import { ReloadBoard } from "../reload-board.ts";
import { STUCK_MS } from "../worker/pulse-watch.ts";
import { ServiceManager } from "./service-manager.ts";
import { openConnections, Traffic } from "./traffic.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const STATUS_MS = 5000;
const LOOK_MS = 1000;
/** A drain asks for so much more time, again and again while it lasts. */
const PATIENCE_MS = 10_000;

/** What a look needs to know. */
export interface Sight {
  readonly store: Store | null;
  /** Every worker answers, or is being replaced. */
  readonly isWell: boolean;
}

export class Herald {
  /** A worker that is silent for so long is killed: before systemd loses patience with main. */
  readonly stuckMs: number;
  /** How often `look` should be called. */
  readonly lookMs: number;
  readonly #manager: ServiceManager;
  readonly #environment: Environment;
  readonly #board = new ReloadBoard();
  readonly #traffic = new Traffic();
  #state: "starting" | "serving" | "stopping" = "starting";
  #serving = "";
  #statusAt = Number.NEGATIVE_INFINITY;

  constructor(manager: ServiceManager, environment: Environment) {
    this.#manager = manager;
    this.#environment = environment;
    const { watchdogMs } = manager;
    this.stuckMs = watchdogMs === 0 ? STUCK_MS : Math.min(STUCK_MS, watchdogMs / 2);
    // A quarter of the watchdog's half: a ping is late by that much at most.
    this.lookMs = watchdogMs === 0 ? LOOK_MS : Math.min(LOOK_MS, watchdogMs / 8);
  }

  static async of(environment: Environment): Promise<Herald> {
    return new Herald(await ServiceManager.of(environment), environment);
  }

  /** Every worker answers. */
  serves(listen: readonly string[], workers: number): void {
    this.#state = "serving";
    this.#name(listen, workers);
    this.#board.open(this.#environment);
    this.#manager.ready(this.#serving);
    this.#manager.alive(performance.now());
  }

  reloadBegins(): void {
    this.#board.begin();
    this.#manager.reloading();
  }

  /** The new workers serve; the old ones may have a while to go. */
  reloaded(listen: readonly string[], workers: number): void {
    this.#name(listen, workers);
    this.#board.end([]);
    this.#manager.ready(this.#serving);
  }

  reloadRefused(faults: readonly string[]): void {
    this.#board.end(faults);
    this.#manager.ready(`Reload refused: ${faults.join("; ")}`);
    // Long enough to be read.
    this.#statusAt = performance.now();
  }

  stops(): void {
    this.#state = "stopping";
    this.#manager.stopping("Stopping");
  }

  fails(faults: readonly string[]): void {
    if (this.#state === "serving") this.stops();
    this.#state = "stopping";
    this.#manager.failed(faults);
  }

  /** Main ends. */
  ends(): void {
    this.#board.remove();
  }

  /** Main is about to work for some seconds without a look: the watchdog's time begins now. */
  worksLong(): void {
    if (this.#state === "serving") this.#manager.alive(performance.now(), true);
  }

  /** Called every `lookMs`: sign of life, status, request for patience. */
  look({ store, isWell }: Sight, nowMs = performance.now()): void {
    if (!this.#manager.isThere || this.#state === "starting") return;
    if (isWell) this.#manager.alive(nowMs);
    if (this.#state === "stopping") {
      const left = store === null ? 0 : openConnections(store);
      this.#manager.extend(PATIENCE_MS, `Stopping: ${left} connections left`);
    } else if (store !== null && nowMs - this.#statusAt >= STATUS_MS) {
      this.#statusAt = nowMs;
      this.#manager.status(`${this.#serving}: ${this.#traffic.sentence(store, nowMs)}`);
    }
  }

  #name(listen: readonly string[], workers: number): void {
    this.#serving = `Serving ${listen.join(" ")} with ${workers} ${workers === 1 ? "worker" : "workers"}`;
  }
}
