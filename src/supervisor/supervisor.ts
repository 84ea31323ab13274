/**
 * Main's life: bring up the store and the workers, watch, reload, stop. It serves no traffic and holds no
 * message (style rule 60). Called by cli/serve.ts; workers run worker.ts.
 *
 * Order of the start: the lock before anything is touched, the addresses before a process is spawned, the
 * processes before the store is opened, so that they load their code while main prepares the memory.
 */
import type { Config } from "../config/model.ts";
import { causeOf, configureLog, log } from "../log.ts";
import type { OpenReport } from "../store/store.ts";
import { drainOf } from "./drain-settings.ts";
import { Generation } from "./generation.ts";
import type { StartOutcome } from "./generation-plan.ts";
import { Handover } from "./handover.ts";
import { planReload } from "./reload.ts";
import { ReloadTurns } from "./reload-turns.ts";
import { Herald } from "./service/herald.ts";
import { descriptorLimit, usableConnections } from "./service/limits.ts";
import { accessLogFaults, MainFiles } from "./service/main-files.ts";
import { listenForSignals, outliveLogReader } from "./signals.ts";
import { removePublicSockets, usefulWorkers } from "./sockets/addresses.ts";
import { BoundPorts } from "./sockets/bound-ports.ts";
import { CERTIFICATE_LOOK_MS, CertificateWatch, withCertificates } from "./sockets/certificates.ts";
import { LOCK_LOOK_MS } from "./store/lock-watch.ts";
import { MainStore } from "./store/main-store.ts";
import { storePolicy } from "./store/store-settings.ts";
import type { ConfigOutcome, SupervisionEnd, SupervisorOptions } from "./supervision.ts";

type Faults = readonly string[];
const NO_FAULTS: Faults = [];

/**
 * Runs sluice until it is told to stop or cannot go on. Never throws for what the outside world can cause.
 */
export async function supervise(options: SupervisorOptions): Promise<SupervisionEnd> {
  return await new Supervisor(options, await Herald.of(process.env)).run();
}

class Supervisor {
  #options: SupervisorOptions;
  readonly #herald: Herald;
  #config: Config;
  #descriptors = descriptorLimit();
  #files = new MainFiles();
  readonly #store = new MainStore({
    endWorker: (pid, why) => this.#generations.some((each) => each.end(pid, why)),
    worksLong: () => this.#herald.worksLong(),
  });
  /** Newest last: [serving], or during a reload [old, new]. */
  #generations: Generation[] = [];
  #generationCount = 0;
  #ports = new BoundPorts();
  readonly #handover = new Handover();
  readonly #certificates = new CertificateWatch();
  /** No start and no reload goes on from here. */
  #stopping = false;
  #quitting = false;
  readonly #reloads: ReloadTurns;
  #ended = Promise.withResolvers<SupervisionEnd>();

  constructor(options: SupervisorOptions, herald: Herald) {
    this.#options = options;
    this.#herald = herald;
    this.#config = options.config;
    this.#reloads = new ReloadTurns({
      read: options.reload,
      reload: (read) => this.#reload(read),
      isOver: () => this.#stopping,
      begins: () => herald.reloadBegins(),
      refused: (faults) => herald.reloadRefused(faults),
    });
  }

  async run(): Promise<SupervisionEnd> {
    outliveLogReader();
    const forget = listenForSignals({
      stop: (signal) => this.#own(this.#stop(signal)),
      quit: () => this.#own(this.#quit()),
      reload: () => this.#own(this.#reloads.take()),
      reopenLogs: () => this.#reopenLogs(),
    });
    const fail = (error: unknown): void => this.#own(this.#fail([`internal error: ${causeOf(error)}`]));
    process.on("uncaughtException", fail).on("unhandledRejection", fail);
    const watch = setInterval(() => this.#look(), this.#herald.lookMs);
    const lockWatch = setInterval(() => this.#store.lookAtLocks(), LOCK_LOOK_MS);
    const certificateWatch = setInterval(() => this.#lookAtCertificates(), CERTIFICATE_LOOK_MS);
    this.#own(this.#start());
    const end = await this.#ended.promise;
    clearInterval(watch);
    clearInterval(lockWatch);
    clearInterval(certificateWatch);
    forget();
    return end;
  }

  #look(): void {
    this.#store.look();
    for (const generation of this.#generations) generation.watch();
    this.#herald.look({ store: this.#store.store, isWell: this.#generations.every(({ isWell }) => isWell) });
  }

  /** What changes during a reload is seen behind it. */
  #lookAtCertificates(): void {
    if (!this.#reloads.isIdle || this.#stopping) return;
    const renewed = this.#certificates.look(this.#config);
    if (renewed !== null) this.#own(this.#reloads.take(() => ({ ok: true, config: renewed })));
  }

  /** Every promise started by an event has this owner: a failure in main itself ends main, in order. */
  #own(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail([`internal error: ${causeOf(error)}`]));
  }

  async #start(): Promise<void> {
    const faults =
      this.#files.openLog(this.#config.errorLog) ??
      accessLogFaults(this.#config) ??
      this.#files.findUser(this.#config) ??
      (await this.#store.claim(this.#config, this.#files.user)) ??
      (await this.#probe()) ??
      (await this.#bringUp());
    if (this.#stopping) return;
    if (faults !== null) return this.#fail(faults);
    await this.#reloads.open();
  }

  async #probe(): Promise<Faults | null> {
    const faults = await this.#ports.probe(this.#config.listen);
    if (faults === null) this.#config = withCertificates(this.#ports.name(this.#config));
    return faults;
  }

  async #bringUp(): Promise<Faults | null> {
    if (this.#stopping) return null;
    const generation = this.#makeGeneration(this.#config);
    generation.boot();
    let report: OpenReport;
    try {
      report = this.#store.open(this.#config, this.#options.isFresh === true);
      this.#store.dictionaries.open(this.#config, this.#store.path);
      this.#store.dictionaries.settle();
      const { cluster } = this.#config;
      if (cluster) report = await this.#store.join(this.#config, cluster, report, () => this.#stopping);
    } catch (error) {
      return [`store: ${(error as Error).message}`];
    }
    if (this.#stopping) return null;
    const started = await this.#startGeneration(generation);
    if (!started.ok) return started.faults;
    const faults = this.#files.take(this.#config);
    if (faults !== null) return faults;
    const { workers } = generation.plan;
    const { listen, store } = this.#config;
    this.#herald.serves(listen, workers);
    const channelRecords = this.#store.store?.channelCapacity ?? 0;
    const kept = { storePath: this.#store.path, storeBytes: store.size, channelRecords, report };
    this.#options.onServing({ listen, workers, ...kept, descriptors: this.#descriptors });
    return null;
  }

  #makeGeneration(config: Config): Generation {
    const workers = usefulWorkers(config.listen, config.workers);
    if (workers < config.workers) log("warn", "a unix socket cannot be shared: one worker serves it");
    const maxConnections = usableConnections(config.limits.maxConnections, this.#descriptors);
    const generation = new Generation({
      number: ++this.#generationCount,
      workers,
      config: { ...config, limits: { ...config.limits, maxConnections } },
      lockDescriptor: this.#store.lockDescriptor,
      stuckMs: this.#herald.stuckMs,
      reclaim: (pid, slot) => this.#store.reclaim(pid, slot),
      onCrashLoop: (faults) => this.#own(this.#fail(faults)),
      onChange: (worker) => this.#handover.look(worker),
      onLeaving: (worker, others, how) => this.#own(this.#handover.letGo(worker, others, how)),
    });
    this.#generations.push(generation);
    return generation;
  }

  async #startGeneration(generation: Generation): Promise<StartOutcome> {
    const { store, path } = this.#store;
    if (store === null) return { ok: false, faults: ["store: not open"] };
    return await generation.start(store, path);
  }

  async #reload(loaded: ConfigOutcome): Promise<Faults> {
    if (!loaded.ok) return loaded.faults;
    const unwritable = accessLogFaults(loaded.config);
    if (unwritable !== null) return unwritable;
    const plan = planReload(this.#config, loaded.config, this.#ports.known);
    const taken = await this.#ports.probe(plan.unprobed);
    if (taken !== null) return taken;
    const config = withCertificates(this.#ports.name(plan.config));
    const room = (this.#store.store?.workerSlots ?? 0) - (this.#generations[0]?.plan.workers ?? 0);
    if (config.workers > room) {
      return [
        `workers: ${config.workers} need a larger table in the store than this one has; restart for that`,
      ];
    }
    for (const warning of plan.warnings) log("warn", warning);
    const noTable = this.#store.makeMembers(config);
    if (noTable !== null) return [noTable];
    this.#files.giveLogs(config);
    return this.#stopping ? NO_FAULTS : await this.#changeGeneration(config);
  }

  async #changeGeneration(config: Config): Promise<Faults> {
    const [old] = this.#generations;
    try {
      this.#store.dictionaries.open(config, this.#store.path);
    } catch (error) {
      return [(error as Error).message];
    }
    const next = this.#makeGeneration(config);
    next.boot();
    const started = await this.#startGeneration(next);
    if (this.#stopping) return NO_FAULTS;
    const faults = started.ok ? this.#files.take(config) : started.faults;
    if (faults !== null) {
      await next.kill("belongs to a refused configuration");
      this.#drop(next);
      this.#store.dictionaries.open(this.#config, this.#store.path);
      this.#store.dictionaries.settle();
      return faults;
    }
    await this.#handover.steer(old?.workers ?? [], () => next.workers);
    if (this.#stopping) return NO_FAULTS;
    const dropped = this.#config.listen.filter((text) => !config.listen.includes(text));
    this.#config = config;
    this.#store.store?.setPolicy(storePolicy(config));
    configureLog(config.logLevel, "main", config.logStyle);
    const { number: generation, workers } = next.plan;
    log("info", "reloaded", { generation, workers, listen: config.listen.join(" ") });
    this.#herald.reloaded(config.listen, next.plan.workers);
    await Promise.all([old?.drain(drainOf(config, true), true), this.#handover.release()]);
    if (old) this.#drop(old);
    this.#store.dictionaries.settle();
    removePublicSockets(dropped);
    return NO_FAULTS;
  }

  #reopenLogs(): void {
    this.#files.reopenLogs(this.#config);
    for (const generation of this.#generations) generation.reopenLogs();
    log("info", "log files opened again");
  }

  #drop(generation: Generation): void {
    this.#generations = this.#generations.filter((each) => each !== generation);
  }

  async #stop(signal: string): Promise<void> {
    const isSecond = this.#stopping && !this.#quitting;
    this.#stopping = true;
    this.#quitting = false;
    this.#herald.stops();
    const how = drainOf(this.#config, false);
    const fields = { signal, limit_ms: isSecond ? 0 : how.deadlineMs };
    log("info", isSecond ? "stopping at once" : "stopping", fields);
    const end = (each: Generation): Promise<void> =>
      isSecond ? each.kill("was not waited for any longer") : each.drain(how);
    await Promise.all(this.#generations.map(end));
    this.#end({ code: 0, faults: NO_FAULTS });
  }

  /** QUIT: as long as the held connections last; the store and the bells stay for them. */
  async #quit(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#quitting = true;
    this.#herald.stops();
    log("info", "stopping when the held connections are over", { signal: "SIGQUIT" });
    removePublicSockets(this.#config.listen);
    await Promise.all(this.#generations.map((each) => each.quit()));
    this.#end({ code: 0, faults: NO_FAULTS });
  }

  async #fail(faults: Faults): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#generations.map((each) => each.kill("is not needed any more")));
    this.#herald.fails(faults);
    this.#end({ code: 1, faults });
  }

  /** All workers are gone: hand the store back in order. */
  #end(end: SupervisionEnd): void {
    if (this.#store.store !== null) {
      this.#store.close();
      removePublicSockets(this.#config.listen);
    }
    this.#store.giveBack();
    this.#files.removePid();
    this.#herald.ends();
    if (end.code === 0) log("info", "stopped");
    this.#ended.resolve(end);
  }
}
