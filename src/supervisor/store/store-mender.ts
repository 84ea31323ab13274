/**
 * What main does about a lock of the store whose owner has died. Nearly always microseconds
 * (store/lock/redo.ts), done at once. Where that is not enough, because memory is damaged or the owner died
 * while it made all lists anew, they are made anew from the messages, which takes seconds in a store of
 * gigabytes: a child does that (`sluice __mend`), so that main goes on watching, answering systemd and
 * replacing workers. Publishing is refused meanwhile; the lock stays with the dead until the child takes it.
 */
import { log } from "../../log.ts";
import type { Store } from "../../store/store.ts";
import { MEND_COMMAND } from "../handshake.ts";
import { childEnvironment, ownProgram } from "../worker/own-program.ts";
import type { WatchedLock } from "./lock-watch.ts";

export interface MenderPlan {
  readonly store: Store;
  readonly storePath: string;
  /** Descriptor of the store's lock file, for the child to hold as a worker does. */
  readonly lockDescriptor: number;
  /** Main itself has to do it, and will not look for seconds. */
  readonly worksLong: () => void;
}

export class StoreMender implements WatchedLock {
  readonly #plan: MenderPlan;
  #child: Bun.Subprocess | null = null;

  constructor(plan: MenderPlan) {
    this.#plan = plan;
  }

  lockOwner(): number {
    return this.#plan.store.upkeep.lockOwner();
  }

  lockProgress(): number {
    return this.#plan.store.upkeep.lockProgress();
  }

  /** True if this dead process held the lock, and what it was at is finished. */
  repairAfterDeath(pid: number): boolean {
    // The child takes it from whoever died.
    if (this.#child !== null) return false;
    const outcome = this.#plan.store.upkeep.finishAfterDeath(pid);
    if (outcome === "damaged") this.#startChild(pid);
    return outcome === "finished";
  }

  /** Ends the child if it is this process. */
  end(pid: number, why: string): boolean {
    if (this.#child === null || this.#child.pid !== pid) return false;
    log("error", `the process that mends the store: ${why}; killing it`, { pid });
    this.#child.kill("SIGKILL");
    return true;
  }

  /** Main ends, and the next opening of the store does what is left. */
  stop(): void {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
  }

  #startChild(deadPid: number): void {
    const { storePath, lockDescriptor } = this.#plan;
    const pid = deadPid;
    log("error", "a worker died with a damaged journal; the lists are being made anew", { pid });
    try {
      const child = Bun.spawn([...ownProgram(), MEND_COMMAND, storePath, String(deadPid)], {
        argv0: "sluice: mend",
        stdio: ["ignore", "inherit", "inherit", lockDescriptor],
        env: childEnvironment(),
        onExit: (ended, code) => {
          if (this.#child === ended) this.#ended(ended.pid, deadPid, code === 0);
        },
      });
      this.#child = child;
    } catch (error) {
      log("error", "no process can be started to mend the store", { error: (error as Error).message });
      this.#doItHere(deadPid);
    }
  }

  #ended(pid: number, deadPid: number, isDone: boolean): void {
    this.#child = null;
    if (isDone) return;
    // Wherever it got to.
    const owner = this.lockOwner();
    if (owner === pid || owner === deadPid) this.#doItHere(owner);
  }

  #doItHere(pid: number): void {
    this.#plan.worksLong();
    this.#plan.store.upkeep.repairAfterDeath(pid);
  }
}
