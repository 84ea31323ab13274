/**
 * Three Sentinels over a primary and its replica: for the test of a failover, and the bench's row of how long
 * it takes.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort, until } from "../binary/running-server.ts";
import type { Engine } from "./engine.ts";

const DOWN_AFTER_MS = 500;

export class Sentinels {
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-sentinels-"));
  readonly #ports = [freePort(), freePort(), freePort()];
  readonly #processes: Bun.Subprocess[] = [];
  readonly #view: Redis;

  constructor(primary: Engine) {
    for (const port of this.#ports) {
      const file = join(this.#folder, `${port}.conf`);
      const lines = [
        ...[`port ${port}`, "bind 127.0.0.1", `dir ${this.#folder}`],
        `sentinel monitor mine 127.0.0.1 ${primary.port} 2`,
        ...[`sentinel down-after-milliseconds mine ${DOWN_AFTER_MS}`, "sentinel failover-timeout mine 5000"],
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      const quiet = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const;
      this.#processes.push(Bun.spawn(["redis-sentinel", file], quiet));
    }
    this.#view = new Redis({ port: this.#ports[0] ?? 0, protocol: 2 });
    this.#view.on("error", () => undefined);
  }

  /** For `[cluster] engine`. */
  get address(): string {
    return `redis+sentinel://${this.#ports.map((port) => `127.0.0.1:${port}`).join(",")}/mine`;
  }

  /** They promote nobody whom they have not all met. */
  async met(): Promise<void> {
    await until(
      "the Sentinels to know each other and the replica",
      async () => {
        const others = await this.#view.call("SENTINEL", "sentinels", "mine");
        const replicas = await this.#view.call("SENTINEL", "replicas", "mine");
        return Array.isArray(others) && others.length === 2 && Array.isArray(replicas) && replicas.length > 0;
      },
      20_000,
    );
  }

  /** Port of the primary, as one of them says. */
  async primary(): Promise<number> {
    const found = await this.#view.call("SENTINEL", "get-master-addr-by-name", "mine");
    return Array.isArray(found) ? Number(found[1]) : 0;
  }

  async stop(): Promise<void> {
    this.#view.disconnect();
    for (const process of this.#processes) {
      process.kill("SIGKILL");
      await process.exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
