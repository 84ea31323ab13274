/**
 * A server of `sluice verify`'s own, in a folder of its own: the same program, started, stopped, killed and
 * started again as the faults want it. On loopback only. Used by faults.ts and run.ts.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { ended, isClearing, StartFault, started } from "./leftovers.ts";
import { type ConfigurationSetting, configuration } from "./own-configuration.ts";
import { type ServerUnderTest, serverAt } from "./server.ts";

export interface OwnServerSetting extends ConfigurationSetting {
  /** The program and what stands before `serve`. */
  readonly program: readonly string[];
  /** Put before the program: `prlimit`, for one. */
  readonly wrapper?: readonly string[];
  readonly environment?: (folder: string) => Readonly<Record<string, string>>;
  /** The folder is a file system of its own, of this size (`mount -t tmpfs -o size=`). */
  readonly diskSize?: string;
}

const READY_MS = 60_000;
/** Of a log that is shown. */
const [LAST_LINES, LAST_WIDTH, LAST_BYTES] = [20, 300, 16_384];

export class OwnServer {
  readonly server: ServerUnderTest;
  readonly folder: string;
  program: readonly string[];
  readonly #setting: OwnServerSetting;
  #process: Bun.Subprocess | null = null;
  /** Someone ended it on purpose; else its end is a fault that ends the run. */
  #isMeantToEnd = false;

  private constructor(setting: OwnServerSetting, folder: string, port: number) {
    this.#setting = setting;
    this.program = setting.program;
    this.folder = folder;
    this.server = serverAt(`http://127.0.0.1:${port}`);
    writeFileSync(join(folder, "sluice.toml"), configuration(setting, folder, port));
    started(this);
  }

  static async start(setting: OwnServerSetting): Promise<OwnServer> {
    const base = setting.sync === null && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const folder = mkdtempSync(join(base, "sluice-verify-"));
    if (setting.diskSize !== undefined) mount(folder, setting.diskSize);
    const server = new OwnServer(setting, folder, await freePort());
    try {
      await server.start();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const said = [`${why}:`, ...(await server.lastWords())].join("\n    ");
      await server.dispose();
      throw new StartFault(said);
    }
    return server;
  }

  get pid(): number {
    if (this.#process === null) throw new Error("the server does not run");
    return this.#process.pid;
  }

  get storeFile(): string {
    return join(this.folder, "store");
  }

  /** Starts it and waits until it is ready; throws with what it said when it is not in time. */
  async start(): Promise<void> {
    if (isClearing()) throw new Error("the run is being ended");
    const { wrapper = [], environment } = this.#setting;
    this.#isMeantToEnd = false;
    const process = Bun.spawn(
      [...wrapper, ...this.program, "serve", "--config", join(this.folder, "sluice.toml")],
      {
        env: { ...Bun.env, RUNTIME_DIRECTORY: this.folder, NOTIFY_SOCKET: "", ...environment?.(this.folder) },
        stdin: "ignore",
        stdout: "ignore",
        stderr: Bun.file(join(this.folder, "log")),
      },
    );
    this.#process = process;
    const endAt = performance.now() + READY_MS;
    while (performance.now() < endAt) {
      if (process.exitCode !== null || process.signalCode !== null) break;
      if (await this.#isReady()) return;
      await Bun.sleep(20);
    }
    throw new Error("the server did not start");
  }

  /** Ends it as systemd would and waits for the end of all of its processes. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** kill -9 of main, of everyone, or of one. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Everything at once, as when the power goes. */
  async cutPower(): Promise<void> {
    const workers = await this.workers();
    this.#isMeantToEnd = true;
    for (const pid of [this.pid, ...workers]) signal(pid, "SIGKILL");
    await this.#process?.exited;
    await waitForEnd(workers);
  }

  async #end(name: "SIGTERM" | "SIGKILL"): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    const workers = await this.workers();
    this.#isMeantToEnd = true;
    process.kill(name);
    await process.exited;
    await waitForEnd(workers);
    this.#process = null;
  }

  /** Ids of the processes that serve; none when it does not answer. */
  async workers(): Promise<readonly number[]> {
    try {
      const response = await fetch(new URL("/channels-stats", this.server.base), {
        signal: AbortSignal.timeout(3000),
      });
      const { by_worker: workers } = (await response.json()) as { by_worker: { pid: string }[] };
      return workers.map(({ pid }) => Number(pid)).filter((pid) => pid > 1);
    } catch {
      return [];
    }
  }

  get isRunning(): boolean {
    const process = this.#process;
    return process !== null && process.exitCode === null && process.signalCode === null;
  }

  /** False when it ended and nobody meant it to. */
  get isUp(): boolean {
    return this.#isMeantToEnd || this.isRunning;
  }

  reload(): void {
    signal(this.pid, "SIGHUP");
  }

  /** The largest private memory of a worker now, in bytes; the store, which they share, is not in it. */
  async largestWorker(): Promise<number> {
    const sizes = (await this.workers()).map((pid) => {
      const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, "utf8") : "";
      return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    });
    return Math.max(0, ...sizes);
  }

  /** A copy of the store file as it is now. */
  snapshot(): string {
    const copy = join(this.folder, "snapshot");
    cpSync(this.storeFile, copy);
    return copy;
  }

  /** The end of its log, as lines. */
  async lastWords(): Promise<readonly string[]> {
    const path = join(this.folder, "log");
    if (!existsSync(path)) return [];
    const end = await Bun.file(path)
      .slice(Math.max(0, statSync(path).size - LAST_BYTES))
      .text();
    const lines = end.trimEnd().split("\n").slice(-LAST_LINES);
    return lines.map((line) => (line.length > LAST_WIDTH ? `${line.slice(0, LAST_WIDTH)} …` : line));
  }

  async dispose(): Promise<void> {
    await this.kill();
    if (this.#setting.diskSize !== undefined) Bun.spawnSync(["umount", this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
    ended(this);
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(new URL("/health/ready", this.server.base), {
        signal: AbortSignal.timeout(2000),
      });
      return response.ok;
    } catch {
      return false;
    }
  }
}

function mount(folder: string, size: string): void {
  const { success, stderr } = Bun.spawnSync([
    "mount",
    "-t",
    "tmpfs",
    "-o",
    `size=${size}`,
    "sluice-verify",
    folder,
  ]);
  if (!success) throw new Error(`a file system cannot be mounted: ${stderr.toString().trim()}`);
}

/** Whether the process was there. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

async function waitForEnd(pids: readonly number[]): Promise<void> {
  const endAt = performance.now() + 30_000;
  const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);
  while (pids.some(isThere) && performance.now() < endAt) await Bun.sleep(10);
}
