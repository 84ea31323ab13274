/**
 * `sluice serve --watch`: calls back when the configuration or a handler file, or what one imports from
 * beside it, has changed. For the time of development; called by cli/serve.ts in main.
 *
 * Folders are watched, not files: editors save by renaming a new file into place, which ends a watch of the
 * old one.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { log } from "../log.ts";

/** An editor touches a file several times to save it, and several files at once. */
const SETTLE_MS = 100;

export class FileWatch {
  readonly #changed: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #names = new Map<string, Set<string>>();
  #timer: Timer | null = null;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Watches these files and no others from now on. */
  use(files: readonly string[]): void {
    this.#names = new Map();
    for (const file of files) {
      const folder = dirname(resolve(file));
      const names = this.#names.get(folder) ?? new Set();
      names.add(basename(file));
      this.#names.set(folder, names);
    }
    for (const [folder, watcher] of this.#watchers) {
      if (this.#names.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of this.#names.keys()) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, (_event, name) => this.#heard(folder, name));
      watcher.on("error", (error) =>
        log("warn", "a folder is not watched any more", { folder, error: String(error) }),
      );
      this.#watchers.set(folder, watcher);
    } catch (error) {
      log("warn", "a folder cannot be watched", { folder, error: String(error) });
    }
  }

  #heard(folder: string, name: string | null): void {
    if (name !== null && this.#names.get(folder)?.has(name) !== true) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#changed();
    }, SETTLE_MS);
  }
}
