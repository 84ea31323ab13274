/**
 * HUPs one at a time: however many arrive during a reload, one more follows. What is read is read when its
 * turn comes. A reload that is refused leaves everything as it is, and says so. Used by supervisor.ts.
 */
import { log } from "../log.ts";
import type { ConfigOutcome } from "./supervision.ts";

export interface ReloadHost {
  readonly read: () => ConfigOutcome;
  /** Faults; none when it is done. */
  reload(read: ConfigOutcome): Promise<readonly string[]>;
  /** Main ends: no further one is begun. */
  isOver(): boolean;
  begins(): void;
  refused(faults: readonly string[]): void;
}

export class ReloadTurns {
  readonly #host: ReloadHost;
  #isOpen = false;
  #isWanted = false;
  #isRunning = false;

  constructor(host: ReloadHost) {
    this.#host = host;
  }

  /** Served, and none is under way. */
  get isIdle(): boolean {
    return this.#isOpen && !this.#isRunning;
  }

  /** From here on they are served; one that came during the start is served now. */
  async open(): Promise<void> {
    this.#isOpen = true;
    if (this.#isWanted) await this.take();
  }

  /**
   * `instead`: nobody asked, but certificates have changed, and only they do: a configuration that is just
   * being edited stays out of it.
   */
  async take(instead: (() => ConfigOutcome) | null = null): Promise<void> {
    this.#isWanted = true;
    if (this.#isRunning || !this.#isOpen) return;
    this.#isRunning = true;
    let read = instead ?? this.#host.read;
    while (this.#isWanted && !this.#host.isOver()) {
      this.#isWanted = false;
      this.#host.begins();
      const faults = await this.#host.reload(read());
      read = this.#host.read;
      if (this.#host.isOver()) break;
      if (faults.length === 0) continue;
      for (const fault of faults) log("error", fault);
      log("error", "reload refused; the old configuration stays in force");
      this.#host.refused(faults);
    }
    this.#isRunning = false;
  }
}
