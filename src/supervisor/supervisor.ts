/**
 * Main's life: bring up the store and the workers, watch, reload, stop. It serves no traffic and holds no
 * message (style rule 60). Called by cli/serve.ts; workers run worker.ts.
 *
 * Order of the start: the lock before anything is touched, the addresses before a process is spawned, the
 * processes before the store is opened, so that they load their code while main prepares the memory.
 */
import { clusterEpoch } from "../cluster/epoch.ts";
import type { ClusterConfig } from "../config/model/cluster.ts";
import type { Config } from "../config/model.ts";
import { causeOf, configureLog, log } from "../log.ts";
import { openStore } from "../store/opening.ts";
import type { OpenReport, Store } from "../store/store.ts";
import { drainOf } from "./drain-settings.ts";
import { Generation } from "./generation.ts";
import type { StartOutcome } from "./generation-plan.ts";
import { Handover } from "./handover.ts";
import { planReload } from "./reload.ts";
import { Herald } from "./service/herald.ts";
import { descriptorLimit, usableConnections } from "./service/limits.ts";
import { accessLogFaults, giveLogs, MainFiles } from "./service/main-files.ts";
import { type KnownUser, userToBecome } from "./service/user.ts";
import { listenForSignals, outliveLogReader } from "./signals.ts";
import { removePublicSockets, usefulWorkers } from "./sockets/addresses.ts";
import { BoundPorts } from "./sockets/bound-ports.ts";
import { CERTIFICATE_LOOK_MS, CertificateWatch, withCertificates } from "./sockets/certificates.ts";
import { LOCK_LOOK_MS, LockWatch } from "./store/lock-watch.ts";
import { SharedDictionaries } from "./store/shared-dictionaries.ts";
import { StoreFlusher } from "./store/store-flusher.ts";
import { StoreMender } from "./store/store-mender.ts";
import { StorePlace } from "./store/store-place.ts";
import { roomForMembers, storePolicy, storeShape } from "./store/store-settings.ts";
import type { ConfigOutcome, SupervisionEnd, SupervisorOptions } from "./supervision.ts";
import { LostSlots } from "./worker/lost-slots.ts";

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
  #place = new StorePlace();
  /** Whom workers become. */
  #user: KnownUser | null = null;
  #files = new MainFiles();
  #store: Store | null = null;
  #flusher: StoreFlusher | null = null;
  /** How often damage was met in this store (Upkeep.timesMended), as far as the log tells. */
  #mended = 0;
  /** Newest last: [serving], or during a reload [old, new]. */
  #generations: Generation[] = [];
  #generationCount = 0;
  #ports = new BoundPorts();
  readonly #handover = new Handover();
  readonly #lostSlots = new LostSlots();
  readonly #lockWatch = new LockWatch((pid, why) => this.#endProcess(pid, why));
  readonly #shared = new SharedDictionaries((pid, why) => this.#endProcess(pid, why));
  readonly #certificates = new CertificateWatch();
  #mender: StoreMender | null = null;
  /** No start and no reload goes on from here. */
  #stopping = false;
  #quitting = false;
  #isServing = false;
  #reloading = false;
  #reloadWanted = false;
  #ended = Promise.withResolvers<SupervisionEnd>();

  constructor(options: SupervisorOptions, herald: Herald) {
    this.#options = options;
    this.#herald = herald;
    this.#config = options.config;
  }

  async run(): Promise<SupervisionEnd> {
    outliveLogReader();
    const forget = listenForSignals({
      stop: (signal) => this.#own(this.#stop(signal)),
      quit: () => this.#own(this.#quit()),
      reload: () => this.#own(this.#reload()),
      reopenLogs: () => this.#reopenLogs(),
    });
    const fail = (error: unknown): void => this.#own(this.#fail([`internal error: ${causeOf(error)}`]));
    process.on("uncaughtException", fail).on("unhandledRejection", fail);
    const watch = setInterval(() => this.#look(), this.#herald.lookMs);
    const lockWatch = setInterval(() => this.#lookAtLock(), LOCK_LOOK_MS);
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
    const mended = this.#store?.upkeep.timesMended ?? 0;
    if (mended > this.#mended) log("error", "the store's lists were damaged, and were made anew", { mended });
    this.#mended = mended;
    for (const generation of this.#generations) generation.watch();
    this.#herald.look({ store: this.#store, isWell: this.#generations.every(({ isWell }) => isWell) });
  }

  #lookAtLock(): void {
    if (this.#mender !== null) this.#lockWatch.look(this.#mender, this.#place.path);
    this.#shared.lookAtLocks();
  }

  /** What changes during a reload is seen behind it. */
  #lookAtCertificates(): void {
    if (!this.#isServing || this.#reloading || this.#stopping) return;
    const renewed = this.#certificates.look(this.#config);
    if (renewed !== null) this.#own(this.#reload(renewed));
  }

  #endProcess(pid: number, why: string): boolean {
    return this.#mender?.end(pid, why) === true || this.#generations.some((each) => each.end(pid, why));
  }

  #reclaim(pid: number, slot: number): void {
    if (this.#mender?.repairAfterDeath(pid) === true)
      log("warn", "a worker died while it held the store's lock; the store was repaired", { pid });
    this.#shared.repairAfterDeath(pid);
    if (this.#store !== null && slot >= 0) this.#lostSlots.giveBack(this.#store, slot);
  }

  /** Every promise started by an event has this owner: a failure in main itself ends main, in order. */
  #own(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail([`internal error: ${causeOf(error)}`]));
  }

  async #start(): Promise<void> {
    const faults =
      this.#files.openLog(this.#config.errorLog) ??
      accessLogFaults(this.#config) ??
      this.#findUser() ??
      (await this.#place.claim(this.#config, process.env, this.#user)) ??
      (await this.#probe()) ??
      (await this.#bringUp());
    if (this.#stopping) return;
    if (faults !== null) return this.#fail(faults);
    this.#isServing = true;
    if (this.#reloadWanted) await this.#reload();
  }

  #findUser(): Faults | null {
    const user = userToBecome(this.#config.user);
    if (typeof user === "string") return [user];
    this.#user = user;
    if (user !== null) giveLogs(this.#config, user);
    else if (this.#config.user !== null)
      log("warn", "user has a meaning for root alone: workers stay who they are", {
        user: this.#config.user.name,
      });
    return null;
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
      report = this.#openStore(this.#options.isFresh === true);
      this.#shared.open(this.#config, this.#place.path);
      this.#shared.settle();
      const { cluster } = this.#config;
      if (cluster) report = await this.#join(cluster, report);
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
    const channelRecords = this.#store?.channelCapacity ?? 0;
    const kept = { storePath: this.#place.path, storeBytes: store.size, channelRecords, report };
    this.#options.onServing({ listen, workers, ...kept, descriptors: this.#descriptors });
    return null;
  }

  /** What is in the store has to be the cluster's; the first time it has to be asked which that is. */
  async #join(cluster: ClusterConfig, opened: OpenReport): Promise<OpenReport> {
    let report = opened;
    const epoch = await clusterEpoch(cluster, this.#store?.replica?.joinedEpoch ?? 0, () => this.#stopping);
    if (epoch === null) return report;
    if (this.#store?.replica?.joinedEpoch !== epoch && report.messages > 0) {
      this.#store?.close();
      report = this.#openStore(true);
    }
    this.#store?.replica?.join(epoch);
    this.#store?.replica?.beginRun();
    return report;
  }

  #openStore(isFresh: boolean): OpenReport {
    const { store, report } = openStore(
      storeShape(this.#config, this.#place.path),
      storePolicy(this.#config),
      isFresh,
    );
    this.#store = store;
    const { path: storePath, lockDescriptor } = this.#place;
    const worksLong = (): void => this.#herald.worksLong();
    this.#mender = new StoreMender({ store, storePath, lockDescriptor, worksLong });
    this.#flusher = StoreFlusher.of(store, this.#config.store.sync);
    return report;
  }

  #makeGeneration(config: Config): Generation {
    const workers = usefulWorkers(config.listen, config.workers);
    if (workers < config.workers) log("warn", "a unix socket cannot be shared: one worker serves it");
    const maxConnections = usableConnections(config.limits.maxConnections, this.#descriptors);
    const generation = new Generation({
      number: ++this.#generationCount,
      workers,
      config: { ...config, limits: { ...config.limits, maxConnections } },
      lockDescriptor: this.#place.lockDescriptor,
      stuckMs: this.#herald.stuckMs,
      reclaim: (pid, slot) => this.#reclaim(pid, slot),
      onCrashLoop: (faults) => this.#own(this.#fail(faults)),
      onChange: (worker) => this.#handover.look(worker),
      onLeaving: (worker, others, how) => this.#own(this.#handover.letGo(worker, others, how)),
    });
    this.#generations.push(generation);
    return generation;
  }

  async #startGeneration(generation: Generation): Promise<StartOutcome> {
    if (this.#store === null) return { ok: false, faults: ["store: not open"] };
    return await generation.start(this.#store, this.#place.path);
  }

  /**
   * HUP. One at a time; however many arrive meanwhile, one more follows. `renewed`: nobody asked, but
   * certificates have changed, and only they do: a configuration that is just being edited stays out of it.
   */
  async #reload(renewed: Config | null = null): Promise<void> {
    this.#reloadWanted = true;
    if (this.#reloading || !this.#isServing) return;
    this.#reloading = true;
    let read = renewed === null ? this.#options.reload : (): ConfigOutcome => ({ ok: true, config: renewed });
    while (this.#reloadWanted && !this.#stopping) {
      this.#reloadWanted = false;
      this.#herald.reloadBegins();
      const faults = await this.#reloadOnce(read());
      read = this.#options.reload;
      if (this.#stopping) break;
      if (faults.length === 0) continue;
      for (const fault of faults) log("error", fault);
      log("error", "reload refused; the old configuration stays in force");
      this.#herald.reloadRefused(faults);
    }
    this.#reloading = false;
  }

  async #reloadOnce(loaded: ConfigOutcome): Promise<Faults> {
    if (!loaded.ok) return loaded.faults;
    const unwritable = accessLogFaults(loaded.config);
    if (unwritable !== null) return unwritable;
    const plan = planReload(this.#config, loaded.config, this.#ports.known);
    const taken = await this.#ports.probe(plan.unprobed);
    if (taken !== null) return taken;
    const config = withCertificates(this.#ports.name(plan.config));
    const room = (this.#store?.workerSlots ?? 0) - (this.#generations[0]?.plan.workers ?? 0);
    if (config.workers > room) {
      return [
        `workers: ${config.workers} need a larger table in the store than this one has; restart for that`,
      ];
    }
    for (const warning of plan.warnings) log("warn", warning);
    const noTable = this.#makeMembers(config);
    if (noTable !== null) return [noTable];
    if (this.#user !== null) giveLogs(config, this.#user);
    return this.#stopping ? NO_FAULTS : await this.#changeGeneration(config);
  }

  /** The first location that counts members needs their table; null: it is there, or not needed. */
  #makeMembers(config: Config): string | null {
    const room = roomForMembers(config);
    try {
      if (room !== null) this.#store?.needMembers(room);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #changeGeneration(config: Config): Promise<Faults> {
    const [old] = this.#generations;
    try {
      this.#shared.open(config, this.#place.path);
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
      this.#shared.open(this.#config, this.#place.path);
      this.#shared.settle();
      return faults;
    }
    await this.#handover.steer(old?.workers ?? [], () => next.workers);
    if (this.#stopping) return NO_FAULTS;
    const dropped = this.#config.listen.filter((text) => !config.listen.includes(text));
    this.#config = config;
    this.#store?.setPolicy(storePolicy(config));
    configureLog(config.logLevel, "main", config.logStyle);
    log("info", "reloaded", {
      generation: next.plan.number,
      workers: next.plan.workers,
      listen: config.listen.join(" "),
    });
    this.#herald.reloaded(config.listen, next.plan.workers);
    await Promise.all([old?.drain(drainOf(config, true), true), this.#handover.release()]);
    if (old) this.#drop(old);
    this.#shared.settle();
    removePublicSockets(dropped);
    return NO_FAULTS;
  }

  #reopenLogs(): void {
    this.#files.reopenLog();
    // Main makes them, as their folder may be root's.
    if (this.#user !== null && accessLogFaults(this.#config) === null) giveLogs(this.#config, this.#user);
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
    log("info", isSecond ? "stopping at once" : "stopping", {
      signal,
      limit_ms: isSecond ? 0 : how.deadlineMs,
    });
    await Promise.all(
      this.#generations.map((each) =>
        isSecond ? each.kill("was not waited for any longer") : each.drain(how),
      ),
    );
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
    const store = this.#store;
    this.#store = null;
    if (store !== null) {
      // What is left even now, the next opening tells.
      this.#lostSlots.look();
      this.#lostSlots.stop();
      this.#mender?.stop();
      this.#flusher?.stop();
      closeStore(store);
      this.#shared.close(!this.#place.isThrowAway);
      removePublicSockets(this.#config.listen);
    }
    this.#place.giveBack();
    this.#files.removePid();
    this.#herald.ends();
    if (end.code === 0) log("info", "stopped");
    this.#ended.resolve(end);
  }
}

/** A disk that does not take everything costs the next start a recovery, not this stop its end. */
function closeStore(store: Store): void {
  try {
    store.upkeep.markClean();
  } catch (error) {
    log("error", "the store could not be closed in order", { error: (error as Error).message });
  }
  store.close();
}
