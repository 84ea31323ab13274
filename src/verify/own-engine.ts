/**
 * The engine of `sluice verify --cluster`: a redis-server (or valkey-server) on loopback that is killed,
 * stopped and replaced by another while its address stays the same. In folders of its own, every write on
 * disk before it is answered: what is lost is lost on purpose. Used by engine-faults.ts and stage.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { freePort } from "./free-port.ts";
import { ended, isClearing, StartFault, started } from "./leftovers.ts";

const PROGRAMS = ["redis-server", "valkey-server"];
const READY_MS = 20_000;

/** Why there can be none here; null: there can. */
export const missingEngine = (): string | null =>
  PROGRAMS.some((name) => Bun.which(name) !== null) ? null : `there is no ${PROGRAMS.join(", nor a ")}`;

/** One server process and the connection to it. */
class EngineProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-verify-engine-"));
  #process: Bun.Subprocess | null = null;
  #redis: Redis | null = null;

  async start(port: number): Promise<void> {
    const program = PROGRAMS.find((name) => Bun.which(name) !== null) ?? "redis-server";
    const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    const disk = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
    const command = [program, ...place, ...disk, "--repl-diskless-sync-delay", "0"];
    if (isClearing()) throw new Error("the run is being ended");
    started(this);
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const { Redis } = await import("ioredis");
    const endAt = performance.now() + READY_MS;
    for (;;) {
      const redis = new Redis({ port, protocol: 2, lazyConnect: true, retryStrategy: () => null });
      // Connections end here all the time; who calls hears of it.
      redis.on("error", () => undefined);
      try {
        await redis.connect();
        await redis.call("PING");
        this.#redis = redis;
        return;
      } catch (error) {
        redis.disconnect();
        if (performance.now() > endAt) throw new StartFault(`the engine did not start: ${String(error)}`);
        await Bun.sleep(20);
      }
    }
  }

  async call(...[command = "", ...words]: readonly string[]): Promise<unknown> {
    if (this.#redis === null) throw new Error("the engine does not run");
    return await this.#redis.call(command, ...words);
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  async kill(): Promise<void> {
    this.#redis?.disconnect();
    this.#redis = null;
    this.signal("SIGKILL");
    await this.#process?.exited;
    this.#process = null;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
    ended(this);
  }
}

export class OwnEngine {
  readonly port: number;
  #primary = new EngineProcess();
  #replica: EngineProcess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<OwnEngine> {
    const engine = new OwnEngine(await freePort());
    try {
      await engine.#primary.start(engine.port);
      return engine;
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }

  call(...words: readonly string[]): Promise<unknown> {
    return this.#primary.call(...words);
  }

  signal(name: NodeJS.Signals): void {
    this.#primary.signal(name);
  }

  kill(): Promise<void> {
    return this.#primary.kill();
  }

  /** What it has on disk is there again; or, emptied, nothing. */
  async restart({ isEmptied }: { isEmptied: boolean }): Promise<void> {
    if (isEmptied) {
      await this.#primary.dispose();
      this.#primary = new EngineProcess();
    }
    await this.#primary.start(this.port);
  }

  /** One that has what there is at this moment, and follows no more. */
  async replicate(): Promise<void> {
    const replica = new EngineProcess();
    this.#replica = replica;
    await replica.start(await freePort());
    await replica.call("REPLICAOF", "127.0.0.1", String(this.port));
    const endAt = performance.now() + READY_MS;
    while (!String(await replica.call("INFO", "replication")).includes("master_link_status:up")) {
      if (performance.now() > endAt) throw new Error("the replica does not follow");
      await Bun.sleep(20);
    }
    await replica.call("REPLICAOF", "NO", "ONE");
  }

  /** The primary is killed, and the replica takes its address. */
  async promote(): Promise<void> {
    const replica = this.#replica;
    if (replica === null) throw new Error("there is no replica");
    await this.#primary.dispose();
    await replica.call("CONFIG", "SET", "port", String(this.port));
    this.#primary = replica;
    this.#replica = null;
  }

  async dispose(): Promise<void> {
    await this.#replica?.dispose();
    await this.#primary.dispose();
  }
}
