/**
 * Main's part of shared dictionaries (store/dictionary/shared-dictionary.ts): their files are there before a
 * worker asks for one, their locks are watched as the store's is, a dead worker's change is finished, and at
 * the end they are closed in order or removed. Used by main-store.ts.
 *
 * A reload opens what is new. One of another size is another file, so workers of the old generation keep
 * theirs until they have gone, and a reload that is refused has taken nothing away.
 */
import { rmSync } from "node:fs";
import type { SharedConfig } from "../../config/model/code.ts";
import type { Config } from "../../config/model.ts";
import { log } from "../../log.ts";
import type { DictionaryArena } from "../../store/dictionary/shared-change.ts";
import {
  closeDictionary,
  dictionaryPath,
  openDictionary,
  removeDictionaries,
} from "../../store/dictionary/shared-file.ts";
import { DictionaryLock } from "../../store/dictionary/shared-keeping.ts";
import { HANDLERS_OWN } from "../../store/dictionary/shared-own.ts";
import { LockWatch } from "./lock-watch.ts";

interface Opened {
  readonly arena: DictionaryArena;
  readonly lock: DictionaryLock;
  readonly watch: LockWatch;
}

export class SharedDictionaries {
  readonly #killWorker: (pid: number, why: string) => boolean;
  #storePath = "";
  /** By path: those of the configuration, and those of a generation that is still leaving. */
  readonly #opened = new Map<string, Opened>();
  #wanted: ReadonlyMap<string, SharedConfig> = new Map();

  constructor(killWorker: (pid: number, why: string) => boolean) {
    this.#killWorker = killWorker;
  }

  /** Those of the configuration, before its workers come. Throws when there is no room. */
  open(config: Config, storePath: string): void {
    this.#storePath = storePath;
    const wanted = new Map(wantedBy(config).map((each) => [dictionaryPath(storePath, each), each]));
    for (const [path, each] of wanted) if (!this.#opened.has(path)) this.#open(path, each);
    this.#wanted = wanted;
  }

  /** No worker uses others any more: their files go. Also those that a main which was killed has left. */
  settle(): void {
    for (const path of this.#opened.keys()) if (!this.#wanted.has(path)) this.#opened.delete(path);
    removeDictionaries(this.#storePath, (path) => this.#wanted.has(path));
  }

  lookAtLocks(): void {
    for (const { lock, watch, arena } of this.#opened.values()) watch.look(lock, arena.path);
  }

  repairAfterDeath(pid: number): void {
    for (const [path, { lock }] of this.#opened) {
      if (lock.repairAfterDeath(pid))
        log(
          "warn",
          "a worker died while it changed a shared dictionary; the change was finished or dropped",
          {
            pid,
            path,
          },
        );
    }
  }

  /** No worker is left. `isKept`: what asked to persist has somebody who comes back for it. */
  close(isKept: boolean): void {
    for (const [path, { arena }] of this.#opened) {
      try {
        if (isKept && this.#wanted.get(path)?.isPersistent === true) closeDictionary(arena);
        else rmSync(path, { force: true });
      } catch (error) {
        log("error", "a shared dictionary could not be closed in order", { path, error: String(error) });
      }
    }
    this.#opened.clear();
  }

  #open(path: string, { name, size, isPersistent }: SharedConfig): void {
    const { arena, isKept } = openDictionary(path, size, isPersistent);
    if (isPersistent) log("info", "shared dictionary", { name, content: isKept ? "kept" : "empty" });
    const watch = new LockWatch(this.#killWorker);
    this.#opened.set(path, { arena, lock: new DictionaryLock(arena), watch });
  }
}

const wantedBy = ({ shared, locations }: Config): readonly SharedConfig[] => [
  ...(shared ?? []),
  ...(locations.some(({ code }) => code !== null) ? [HANDLERS_OWN] : []),
];
