/**
 * Main's life: bring up the store and the workers, watch, reload, stop. It serves no traffic and holds no message (style rule
 * 60). Called by cli/serve.ts; workers run worker.ts.
 *
 * Order of the start: the lock before anything is touched, the addresses before a process is spawned, the processes before
 * the store is opened, so that they load their code while main prepares the memory.
 */
import { closeSync, rmSync } from "node:fs";
import type { Config } from "../config/model.ts";
import { configureLog, log } from "../log.ts";
import { type OpenReport, openStore, type Store } from "../store/store.ts";
import { probeAddresses, removePublicSockets, usefulWorkers } from "./addresses.ts";
import { Generation, type StartOutcome } from "./generation.ts";
import { connectionLimit, descriptorLimit } from "./limits.ts";
import { lockStore } from "./lock-file.ts";
import { chooseStorePath } from "./paths.ts";
import { planReload } from "./reload.ts";
import { listenForSignals, outliveLogReader } from "./signals.ts";
import { storePolicy, storeShape } from "./store-settings.ts";

export type ConfigOutcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[] };

/** What is told when all workers are ready. */
export interface Serving {
  readonly listen: readonly string[];
  readonly workers: number;
  readonly storePath: string;
  readonly storeBytes: number;
  readonly report: OpenReport;
  /** The limit of open files of main and each worker. */
  readonly descriptors: number;
}

export interface SupervisorOptions {
  readonly config: Config;
  /** Reads the configuration again, for SIGHUP. */
  readonly reload: () => ConfigOutcome;
  readonly onServing: (serving: Serving) => void;
}

/** Exit status for the process, and the sentences to print when it is not 0. */
export interface SupervisionEnd {
  readonly code: 0 | 1;
  readonly faults: readonly string[];
}

type Faults = readonly string[];
const WATCH_MS = 1000;
const NO_FAULTS: Faults = [];

/** Runs sluice until it is told to stop or cannot go on. Never throws for what the outside world can cause. */
export function supervise(options: SupervisorOptions): Promise<SupervisionEnd> {
  return new Supervisor(options).run();
}

class Supervisor {
  #options: SupervisorOptions;
  #config: Config;
  #descriptors = descriptorLimit();
  #storePath = "";
  #isThrowAway = false;
  #lockDescriptor = -1;
  #store: Store | null = null;
  /** Newest last: [serving], or during a reload [old, new]. */
  #generations: Generation[] = [];
  #generationCount = 0;
  #ports = new Map<string, string>();
  #stopping = false;
  #isServing = false;
  #reloading = false;
  #reloadWanted = false;
  #ended = Promise.withResolvers<SupervisionEnd>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  async run(): Promise<SupervisionEnd> {
    outliveLogReader();
    const forget = listenForSignals({
      stop: (signal) => this.#own(this.#stop(signal)),
      reload: () => this.#own(this.#reload()),
    });
    const watch = setInterval(() => {
      for (const generation of this.#generations) generation.watch();
    }, WATCH_MS);
    this.#own(this.#start());
    const end = await this.#ended.promise;
    clearInterval(watch);
    forget();
    return end;
  }

  /** Every promise started by an event has this owner: a failure in main itself ends main, in order. */
  #own(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail([error instanceof Error ? error.message : String(error)]));
  }

  async #start(): Promise<void> {
    const faults = (await this.#claimPlace()) ?? (await this.#probe()) ?? (await this.#bringUp());
    if (this.#stopping) return;
    if (faults !== null) return this.#fail(faults);
    this.#isServing = true;
    if (this.#reloadWanted) await this.#reload();
  }

  async #claimPlace(): Promise<Faults | null> {
    const first = this.#config.listen[0] ?? "";
    // Nobody can find the store of a random port again: it gets a name of its own and goes when we go.
    this.#isThrowAway = this.#config.store.path === null && first.endsWith(":0");
    const name = this.#isThrowAway ? `${first}-${process.pid}` : first;
    const place = chooseStorePath(this.#config.store.path, name, process.env);
    if (!place.ok) return [place.fault];
    const lock = await lockStore(place.path);
    if (!lock.ok) return [lock.fault];
    this.#storePath = place.path;
    this.#lockDescriptor = lock.descriptor;
    return null;
  }

  async #probe(): Promise<Faults | null> {
    const asked = this.#config.listen;
    const probed = await probeAddresses(asked);
    if (!probed.ok) return probed.faults;
    this.#config = { ...this.#config, listen: this.#rememberPorts(asked, probed.listen) };
    return null;
  }

  async #bringUp(): Promise<Faults | null> {
    if (this.#stopping) return null;
    const generation = this.#makeGeneration(this.#config);
    generation.boot();
    let report: OpenReport;
    try {
      report = this.#openStore();
    } catch (error) {
      return [`store: ${(error as Error).message}`];
    }
    const started = await this.#startGeneration(generation);
    if (!started.ok) return started.faults;
    const { workers } = generation.plan;
    const { listen, store } = this.#config;
    const serving = { listen, workers, storePath: this.#storePath, storeBytes: store.size, report };
    this.#options.onServing({ ...serving, descriptors: this.#descriptors });
    return null;
  }

  #openStore(): OpenReport {
    const { store, report } = openStore(storeShape(this.#config, this.#storePath), storePolicy(this.#config));
    this.#store = store;
    return report;
  }

  #makeGeneration(config: Config): Generation {
    const workers = usefulWorkers(config.listen, config.workers);
    if (workers < config.workers) log("warn", "a unix socket cannot be shared: one worker serves it");
    const maxConnections = connectionLimit(config.limits.maxConnections, this.#descriptors);
    if (config.limits.maxConnections > maxConnections) {
      log("warn", "limits.max_connections is more than the limit of open files allows", {
        max_connections: config.limits.maxConnections,
        open_files: this.#descriptors,
        used: maxConnections,
      });
    }
    const generation = new Generation({
      number: ++this.#generationCount,
      workers,
      config: { ...config, limits: { ...config.limits, maxConnections } },
      lockDescriptor: this.#lockDescriptor,
      onCrashLoop: (faults) => this.#own(this.#fail(faults)),
    });
    this.#generations.push(generation);
    return generation;
  }

  async #startGeneration(generation: Generation): Promise<StartOutcome> {
    if (this.#store === null) return { ok: false, faults: ["store: not open"] };
    return await generation.start(this.#store, this.#storePath);
  }

  /** HUP. One at a time; however many arrive meanwhile, one more follows. */
  async #reload(): Promise<void> {
    this.#reloadWanted = true;
    if (this.#reloading || !this.#isServing) return;
    this.#reloading = true;
    while (this.#reloadWanted && !this.#stopping) {
      this.#reloadWanted = false;
      const faults = await this.#reloadOnce();
      if (this.#stopping) break;
      for (const fault of faults) log("error", fault);
      if (faults.length > 0) log("error", "reload refused; the old configuration stays in force");
    }
    this.#reloading = false;
  }

  async #reloadOnce(): Promise<Faults> {
    const loaded = this.#options.reload();
    if (!loaded.ok) return loaded.faults;
    const plan = planReload(this.#config, loaded.config, this.#ports);
    const probed = await probeAddresses(plan.unprobed);
    if (!probed.ok) return probed.faults;
    const fresh = this.#rememberPorts(plan.unprobed, probed.listen);
    const listen = plan.config.listen.map((text) => fresh[plan.unprobed.indexOf(text)] ?? text);
    const config = { ...plan.config, listen };
    const room = (this.#store?.workerSlots ?? 0) - (this.#generations[0]?.plan.workers ?? 0);
    if (config.workers > room) {
      return [
        `workers: ${config.workers} need a larger table in the store than this one has; restart for that`,
      ];
    }
    for (const warning of plan.warnings) log("warn", warning);
    return this.#stopping ? NO_FAULTS : await this.#changeGeneration(config);
  }

  async #changeGeneration(config: Config): Promise<Faults> {
    const [old] = this.#generations;
    const next = this.#makeGeneration(config);
    next.boot();
    const started = await this.#startGeneration(next);
    if (this.#stopping) return NO_FAULTS;
    if (!started.ok) {
      await next.kill("belongs to a refused configuration");
      this.#drop(next);
      return started.faults;
    }
    const dropped = this.#config.listen.filter((text) => !config.listen.includes(text));
    this.#config = config;
    this.#store?.setPolicy(storePolicy(config));
    configureLog(config.logLevel, "main");
    log("info", "reloaded", {
      generation: next.plan.number,
      workers: next.plan.workers,
      listen: config.listen.join(" "),
    });
    await old?.drain(config.shutdownTimeoutMs);
    if (old) this.#drop(old);
    removePublicSockets(dropped);
    return NO_FAULTS;
  }

  #drop(generation: Generation): void {
    this.#generations = this.#generations.filter((each) => each !== generation);
  }

  async #stop(signal: string): Promise<void> {
    const isSecond = this.#stopping;
    this.#stopping = true;
    const { shutdownTimeoutMs } = this.#config;
    log("info", isSecond ? "stopping at once" : "stopping", {
      signal,
      limit_ms: isSecond ? 0 : shutdownTimeoutMs,
    });
    await Promise.all(
      this.#generations.map((each) =>
        isSecond ? each.kill("was not waited for any longer") : each.drain(shutdownTimeoutMs),
      ),
    );
    this.#end({ code: 0, faults: NO_FAULTS });
  }

  async #fail(faults: Faults): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#generations.map((each) => each.kill("is not needed any more")));
    this.#end({ code: 1, faults });
  }

  /** All workers are gone: hand the store back in order. */
  #end(end: SupervisionEnd): void {
    const store = this.#store;
    this.#store = null;
    if (store !== null) {
      store.markClean();
      store.close();
      removePublicSockets(this.#config.listen);
    }
    if (this.#isThrowAway && this.#lockDescriptor >= 0) {
      rmSync(this.#storePath, { force: true });
      rmSync(`${this.#storePath}.lock`, { force: true });
    }
    if (this.#lockDescriptor >= 0) closeSync(this.#lockDescriptor);
    this.#lockDescriptor = -1;
    this.#ended.resolve(end);
  }

  #rememberPorts(asked: readonly string[], became: readonly string[]): readonly string[] {
    for (const [index, text] of asked.entries()) this.#ports.set(text, became[index] ?? text);
    return became;
  }
}
