/**
 * The TypeScript files of a configuration, imported from disk by each worker before it serves. A file that
 * fails to load costs its own locations: they answer 500 with the id that is in the log. A reload starts new
 * workers, which import what the files say then.
 */
import { dirname } from "node:path";
import type { Authorize, Handler, Hooks, WebSocketHandler } from "sluice";
import type { Config } from "../config/model.ts";
import { builtIn } from "./built-in.ts";
import { type Failing, isThrownAtHandler, logFailure } from "./failure.ts";
import { type Every, intervalsOf } from "./intervals.ts";

/** What a file may export that means something here. */
export interface HandlerModule {
  readonly default: Handler | null;
  readonly websocket: WebSocketHandler | null;
  readonly authorize: Authorize | null;
  readonly hooks: Hooks;
  /** What is to be run at intervals. */
  readonly every: readonly Every[];
}

/**
 * How long a worker waits for files that are slow to load (top-level `await`) before it serves the others.
 */
const LOAD_MS = 5000;

export class HandlerFile {
  readonly path: string;
  /** null: not loaded yet, or not at all. */
  module: HandlerModule | null = null;
  /** Id of the log line that says why it did not load. */
  failureId: string | null = null;
  /** Resolves when it is decided; never rejects. */
  readonly settled: Promise<void>;

  constructor(path: string) {
    this.path = path;
    this.settled = this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.module = moduleOf(builtIn(this.path) ?? (await import(this.path)));
    } catch (error) {
      this.failureId = this.logFailure("import", error);
    }
  }

  failing(what: string): Failing {
    return { file: this.path, what };
  }

  logFailure(what: string, error: unknown, fields: { path?: string } = {}): string {
    return logFailure(this.failing(what), error, fields);
  }
}

export class HandlerFiles {
  readonly #files = new Map<string, HandlerFile>();

  of(path: string): HandlerFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const made = new HandlerFile(path);
    this.#files.set(path, made);
    return made;
  }

  get all(): Iterable<HandlerFile> {
    return this.#files.values();
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /** Resolves when all are loaded or have failed, or when they took too long; those go on loading. */
  async settle(ms: number = LOAD_MS): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([late, Promise.all([...this.#files.values()].map(({ settled }) => settled))]);
    clearTimeout(timer);
  }

  /**
   * Whether an error that nobody caught comes from a handler: a timer or a promise it let go. Its stack names
   * a file beside a handler, or nothing of ours, as that of a `fetch` that failed or of a text that was
   * thrown; or sluice threw it at a handler.
   */
  owns(error: unknown): boolean {
    if (this.isEmpty) return false;
    if (isThrownAtHandler(error)) return true;
    const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
    const folders = [...this.#files.keys()].map((path) => `${dirname(path)}/`);
    return folders.some((folder) => stack.includes(folder)) || !stack.includes(OWN_CODE);
  }
}

/** How frames of sluice's own code begin: the file inside the compiled binary, or the source folder. */
const OWN_CODE = import.meta.path.startsWith("/$bunfs/") ? "/$bunfs/" : dirname(import.meta.dir);

/** Begins to load all files the configuration names. */
export function loadHandlers({ locations }: Pick<Config, "locations">): HandlerFiles {
  const files = new HandlerFiles();
  for (const { code } of locations) {
    for (const path of [code?.handler, code?.authorize, code?.hooks]) {
      if (typeof path === "string") files.of(path);
    }
  }
  return files;
}

/** Throws when an export is not what its name says. */
function moduleOf(exported: unknown): HandlerModule {
  const read = (name: string): unknown => Reflect.get(Object(exported), name);
  const functionAt = <F>(name: string): F | null => {
    const value = read(name);
    if (value === undefined || value === null) return null;
    if (typeof value !== "function") throw new TypeError(`the export "${name}" is not a function`);
    return value as F;
  };
  const websocket = read("websocket");
  if (websocket !== undefined && (typeof websocket !== "object" || websocket === null))
    throw new TypeError('the export "websocket" is not an object');
  const hooks: Record<string, unknown> = {};
  for (const name of ["onSubscribe", "onUnsubscribe", "onPublish"]) {
    const hook = functionAt(name);
    if (hook !== null) hooks[name] = hook;
  }
  return {
    default: functionAt<Handler>("default"),
    websocket: (websocket ?? null) as WebSocketHandler | null,
    authorize: functionAt<Authorize>("authorize"),
    hooks,
    every: intervalsOf(read("every")),
  };
}
