// Starts worker.ts with the bench's configuration for a door, and a swarm on it. Used by counts.ts.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Generator } from "../load/generator.ts";
import { type Swarm, startSwarm } from "../load/swarm-client.ts";
import { type Transport, takePort } from "../peers/peer.ts";
import { subscribePath } from "../peers/sluice.ts";
import { configuration, type Door } from "../peers/sluice-config.ts";

export class CountedWorker extends Generator {
  heap(): Promise<{ readonly objects: number; readonly bytes: number }> {
    return this.ask("heap");
  }

  async growth(): Promise<number> {
    return (await this.ask<{ bytes: number }>("growth")).bytes;
  }

  async encodes(): Promise<number> {
    return (await this.ask<{ count: number }>("encodes")).count;
  }
}

export interface Counting {
  readonly port: number;
  readonly worker: CountedWorker;
  readonly swarm: Swarm;
}

/** Not every machine has a ring (listen/wire/kernel-ring.ts): what is counted must not depend on it. */
const NO_RING = { SLUICE_SYSCALL_FILTER: "kills" };

/** `environment` is for the runtime's own switches. Everything ends with `job`. */
export async function withWorker<T>(
  door: Door,
  transport: Transport,
  environment: Readonly<Record<string, string>>,
  job: (counting: Counting) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-guard-"));
  const port = takePort();
  const file = join(folder, "sluice.toml");
  // No ping may come between two readings.
  writeFileSync(file, configuration({ listen: `127.0.0.1:${port}`, door, pingSec: 600 }));
  const command = [process.execPath, join(import.meta.dir, "worker.ts"), file, folder];
  const worker = new CountedWorker(command, {}, { ...NO_RING, ...environment });
  try {
    await worker.started();
    const swarm = await startSwarm({ subscribePath }, { port }, transport, "guarded");
    try {
      return await job({ port, worker, swarm });
    } finally {
      await swarm.stop();
    }
  } finally {
    await worker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
