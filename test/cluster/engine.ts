/**
 * Real redis-servers for the tests of a cluster, and the wire between them and the nodes: a forwarder on
 * loopback, so that a test can put another server in the place of the one before (a failover), cut
 * connections at any byte, or hold everything back.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort, until } from "../binary/running-server.ts";

/** Debian's Redis, or Valkey where that is what there is. */
const SERVER = ["redis-server", "valkey-server"].find((name) => Bun.which(name) !== null) ?? null;
export const hasRedis = SERVER !== null;

/** One redis-server with a folder of its own. */
export class Engine {
  readonly port: number;
  readonly folder: string;
  readonly #options: readonly string[];
  process: Bun.Subprocess | null = null;
  redis: Redis | null = null;

  constructor(options: readonly string[] = [], port = freePort()) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), "sluice-engine-"));
    this.#options = options;
  }

  async start(): Promise<this> {
    if (this.process !== null) return this;
    const here = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    // A replica is not made to wait for others that may come.
    const base = [...here, "--repl-diskless-sync-delay", "0"];
    const command = [SERVER ?? "redis-server", ...base, ...this.#options];
    this.process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const password = this.#options[this.#options.indexOf("--requirepass") + 1];
    const isLocked = this.#options.includes("--requirepass");
    await until("the engine to answer", async () => {
      const redis = new Redis({
        port: this.port,
        protocol: 2,
        lazyConnect: true,
        retryStrategy: () => null,
        ...(isLocked && password !== undefined ? { password } : {}),
      });
      redis.on("error", () => undefined);
      try {
        await redis.connect();
        await redis.ping();
        this.redis = redis;
        return true;
      } catch {
        redis.disconnect();
        return false;
      }
    });
    return this;
  }

  async call(command: string, ...words: string[]): Promise<unknown> {
    if (this.redis === null) throw new Error("the engine does not run");
    return await this.redis.call(command, ...words);
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }

  async kill(): Promise<void> {
    this.redis?.disconnect();
    this.redis = null;
    this.process?.kill("SIGCONT");
    this.process?.kill("SIGKILL");
    await this.process?.exited;
    this.process = null;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Follows another until it has everything. */
  async follow(primary: Engine): Promise<void> {
    await this.call("REPLICAOF", "127.0.0.1", String(primary.port));
    await until("the replica to have everything", async () => {
      const [own, others] = await Promise.all([
        this.call("INFO", "replication"),
        primary.call("INFO", "replication"),
      ]);
      return (
        String(own).includes("master_link_status:up") &&
        offset(String(own), "slave_repl_offset") === offset(String(others), "master_repl_offset")
      );
    });
  }
}

const offset = (info: string, name: string): number =>
  Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? -1);

interface Pair {
  readonly up: Bun.Socket<unknown>;
  down: Bun.Socket<unknown> | null;
  waiting: Buffer[];
  given: number;
}

/** A port that leads to whichever server it is told to. */
export class Wire {
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener<Pair>;
  readonly #pairs = new Set<Pair>();
  target: number;
  /** Ends the next connection after so many bytes of answers; 0 = none. */
  cutAfter = 0;

  constructor(target: number) {
    this.target = target;
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: freePort(),
      socket: {
        open: (socket) => this.#open(socket),
        data: ({ data: pair }, bytes) => {
          if (pair.down === null) pair.waiting.push(Buffer.from(bytes));
          else pair.down.write(bytes);
        },
        close: ({ data: pair }) => {
          this.#pairs.delete(pair);
          pair.down?.end();
        },
        error: () => undefined,
      },
    });
    this.port = this.#listener.port;
  }

  #open(socket: Bun.Socket<Pair>): void {
    const pair: Pair = { up: socket, down: null, waiting: [], given: 0 };
    socket.data = pair;
    this.#pairs.add(pair);
    Bun.connect({
      hostname: "127.0.0.1",
      port: this.target,
      socket: {
        open: (down) => {
          pair.down = down;
          for (const bytes of pair.waiting.splice(0)) down.write(bytes);
        },
        data: (_down, bytes) => this.#give(pair, bytes),
        close: () => {
          pair.up.end();
        },
        error: () => {
          pair.up.end();
        },
        connectError: () => pair.up.terminate(),
      },
    }).catch(() => pair.up.terminate());
  }

  #give(pair: Pair, bytes: Buffer): void {
    const left = this.cutAfter === 0 ? bytes.length : this.cutAfter - pair.given;
    pair.up.write(bytes.subarray(0, Math.min(bytes.length, Math.max(0, left))));
    pair.given += bytes.length;
    if (bytes.length < left || this.cutAfter === 0) return;
    this.cutAfter = 0;
    pair.up.terminate();
    pair.down?.terminate();
  }

  /** Everybody is thrown out; who comes back comes to `target`. */
  switchTo(target: number): void {
    this.target = target;
    this.cut();
  }

  cut(): void {
    for (const pair of [...this.#pairs]) {
      pair.up.terminate();
      pair.down?.terminate();
    }
  }

  stop(): void {
    this.#listener.stop(true);
    this.cut();
  }
}
