/**
 * A main in a process of its own, for tests: its log as lines to wait for, its workers by asking them, and a
 * clean end whatever the test did. Used with the toy of fixture-main.ts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { addressed, testConfig } from "./test-config.ts";

const PATIENCE_MS = 15_000;
const LOOK_MS = 10;

export interface Who {
  readonly pid: number;
  readonly slot: number;
  readonly text: string;
}

/** Calls `look` until it gives something other than null; fails with `what` after four seconds. */
export async function eventually<T>(what: string, look: () => T | null | Promise<T | null>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`still waiting for: ${what}`);
    await Bun.sleep(LOOK_MS);
  }
}

export class MainProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-main-"));
  readonly configPath = join(this.folder, "config.json");
  readonly storePath = join(this.folder, "store");
  readonly process: Bun.Subprocess<"ignore", "inherit", "pipe">;
  config: Config;
  output = "";
  #log: { cancel(): Promise<void> } | null = null;

  /** `storePath`: the store of another main, for a second life or a refusal. */
  constructor(changes: Partial<Config>, env: Record<string, string> = {}, storePath?: string) {
    this.config = testConfig(storePath ?? this.storePath, changes);
    this.write(this.config);
    this.process = Bun.spawn(
      [process.execPath, join(import.meta.dir, "fixture-main.ts"), "serve", this.configPath],
      {
        stdio: ["ignore", "inherit", "pipe"],
        // Its notice for `sluice reload` lies there, where no other command looks for one.
        env: { ...process.env, RUNTIME_DIRECTORY: this.folder, ...env },
      },
    );
    this.#read();
  }

  get url(): string {
    return `http://${this.config.listen[0]}`;
  }

  write(config: Config | string): void {
    writeFileSync(this.configPath, typeof config === "string" ? config : JSON.stringify(config));
  }

  /** Rewrites the configuration and sends SIGHUP. */
  reload(changes: Partial<Config>): void {
    const addresses = changes.listen === undefined ? {} : addressed(changes.listen);
    this.config = { ...this.config, ...changes, ...addresses };
    this.write(this.config);
    this.process.kill("SIGHUP");
  }

  /** Waits until the log has `pattern` `times` times. */
  logged(pattern: RegExp, times = 1): Promise<string> {
    const every = new RegExp(pattern.source, "gm");
    return eventually(`${pattern} in\n${this.output}`, () => {
      const found = this.output.match(every) ?? [];
      return found.length >= times ? (found.at(-1) ?? "") : null;
    });
  }

  async who(): Promise<Who> {
    return (await (await this.ask("/who")).json()) as Who;
  }

  ask(path: string): Promise<Response> {
    return fetch(`${this.url}${path}`, { keepalive: false, headers: { connection: "close" } });
  }

  /** The workers that answer, found by asking until `count` different ones did. */
  workers(count: number, except: readonly number[] = []): Promise<readonly Who[]> {
    const seen = new Map<number, Who>();
    return eventually(`${count} workers`, async () => {
      const who = await this.who().catch(() => null);
      if (who !== null && !except.includes(who.pid)) seen.set(who.pid, who);
      return seen.size >= count ? [...seen.values()] : null;
    });
  }

  /** What `sluice serve 2>&1 | head` does after some lines: nobody reads stderr any more. */
  async closeLog(): Promise<void> {
    await this.#log?.cancel();
  }

  async exitCode(): Promise<number> {
    return await this.process.exited;
  }

  async end(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const reader = this.process.stderr.getReader();
    this.#log = reader;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.output += decoder.decode(value, { stream: true });
    }
  }
}

/** A zombie does not run: an orphan may stay one until the machine's init looks. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
