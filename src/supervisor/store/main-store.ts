/**
 * The store as main has it: its file and the lock on it, opened for the workers, watched while they use it
 * (deaths under the lock, damage, the disk), and handed back in order at the end. Shared dictionaries lie
 * beside it and are watched with it. One a supervisor; what each part does is in the files beside.
 */
import { clusterEpoch } from "../../cluster/epoch.ts";
import type { ClusterConfig } from "../../config/model/cluster.ts";
import type { Config } from "../../config/model.ts";
import { log } from "../../log.ts";
import { openStore } from "../../store/opening.ts";
import type { OpenReport, Store } from "../../store/store.ts";
import type { KnownUser } from "../service/user.ts";
import { LostSlots } from "../worker/lost-slots.ts";
import { LockWatch } from "./lock-watch.ts";
import { SharedDictionaries } from "./shared-dictionaries.ts";
import { StoreFlusher } from "./store-flusher.ts";
import { StoreMender } from "./store-mender.ts";
import { StorePlace } from "./store-place.ts";
import { roomForMembers, storePolicy, storeShape } from "./store-settings.ts";

export interface MainStoreHost {
  /** Ends a worker that keeps a lock; false: the process is none. */
  endWorker(pid: number, why: string): boolean;
  /** Main is about to work for seconds, and will not look meanwhile. */
  worksLong(): void;
}

export class MainStore {
  readonly dictionaries = new SharedDictionaries((pid, why) => this.#endProcess(pid, why));
  readonly #host: MainStoreHost;
  readonly #place = new StorePlace();
  readonly #lostSlots = new LostSlots();
  readonly #lockWatch = new LockWatch((pid, why) => this.#endProcess(pid, why));
  #store: Store | null = null;
  #mender: StoreMender | null = null;
  #flusher: StoreFlusher | null = null;
  /** How often damage was met in this store (Upkeep.timesMended), as far as the log tells. */
  #mended = 0;

  constructor(host: MainStoreHost) {
    this.#host = host;
  }

  /** null: not open yet, or not any more. */
  get store(): Store | null {
    return this.#store;
  }

  get path(): string {
    return this.#place.path;
  }

  get lockDescriptor(): number {
    return this.#place.lockDescriptor;
  }

  /** Chooses and locks the file; faults when that cannot be. */
  claim(config: Config, user: KnownUser | null): Promise<readonly string[] | null> {
    return this.#place.claim(config, process.env, user);
  }

  /** Throws when it cannot. */
  open(config: Config, isFresh: boolean): OpenReport {
    const { store, report } = openStore(storeShape(config, this.path), storePolicy(config), isFresh);
    this.#store = store;
    const { path: storePath, lockDescriptor } = this.#place;
    const worksLong = (): void => this.#host.worksLong();
    this.#mender = new StoreMender({ store, storePath, lockDescriptor, worksLong });
    this.#flusher = StoreFlusher.of(store, config.store.sync);
    return report;
  }

  /** What is in the store has to be the cluster's; the first time it has to be asked which that is. */
  async join(
    config: Config,
    cluster: ClusterConfig,
    opened: OpenReport,
    isOver: () => boolean,
  ): Promise<OpenReport> {
    let report = opened;
    const epoch = await clusterEpoch(cluster, this.#store?.replica?.joinedEpoch ?? 0, isOver);
    if (epoch === null) return report;
    if (this.#store?.replica?.joinedEpoch !== epoch && report.messages > 0) {
      this.#store?.close();
      report = this.open(config, true);
    }
    this.#store?.replica?.join(epoch);
    this.#store?.replica?.beginRun();
    return report;
  }

  /**
   * At a reload, the first location that counts members needs their table; a fault where there is no room.
   */
  makeMembers(config: Config): string | null {
    const room = roomForMembers(config);
    try {
      if (room !== null) this.#store?.needMembers(room);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** The worker is gone; with -1 it had no slot. */
  reclaim(pid: number, slot: number): void {
    if (this.#mender?.repairAfterDeath(pid) === true)
      log("warn", "a worker died while it held the store's lock; the store was repaired", { pid });
    this.dictionaries.repairAfterDeath(pid);
    if (this.#store !== null && slot >= 0) this.#lostSlots.giveBack(this.#store, slot);
  }

  look(): void {
    const mended = this.#store?.upkeep.timesMended ?? 0;
    if (mended > this.#mended) log("error", "the store's lists were damaged, and were made anew", { mended });
    this.#mended = mended;
  }

  lookAtLocks(): void {
    if (this.#mender !== null) this.#lockWatch.look(this.#mender, this.path);
    this.dictionaries.lookAtLocks();
  }

  /** All workers are gone. The file stays locked until it is given back. */
  close(): void {
    const store = this.#store;
    if (store === null) return;
    this.#store = null;
    // What is left even now, the next opening tells.
    this.#lostSlots.look();
    this.#lostSlots.stop();
    this.#mender?.stop();
    this.#flusher?.stop();
    closeStore(store);
    this.dictionaries.close(!this.#place.isThrowAway);
  }

  giveBack(): void {
    this.#place.giveBack();
  }

  #endProcess(pid: number, why: string): boolean {
    return this.#mender?.end(pid, why) === true || this.#host.endWorker(pid, why);
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
