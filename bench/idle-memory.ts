// What a held connection keeps, object by object: `bun bench/idle-memory.ts [--connections 4000] [--door
// wire] [stream|sse|longpoll|ws ...]`. Findings: idle-memory.md. Resident memory is the row "memory": a
// snapshot leaves too much behind itself to be asked for that as well.
//
// A worker process of its own (held/worker.ts) holds 500 connections, then 500 and N. The difference of the
// two heap snapshots, by N, is what one keeps: whole numbers of objects a connection, and small fractions
// that are caches or the engine's.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ENGINE_VARIABLES } from "../src/supervisor/worker/worker-engine.ts";
import type { Question, Reading } from "./held/worker.ts";
import { type Swarm, startSwarm } from "./load/swarm-client.ts";
import type { Transport } from "./peers/peer.ts";
import { sluice } from "./peers/sluice.ts";
import { DOORS, type Door } from "./peers/sluice-config.ts";

const TRANSPORTS: readonly Transport[] = ["stream", "sse", "longpoll", "ws"];
const BEFORE = 500;
const WARM_UP_MS = 1500;
const SETTLE_MS = 1500;
/** Of a class that has fewer a connection nothing is said. */
const LEAST_SHARE = 0.05;

/** The worker process, which answers one question at a time. */
class HeldWorker {
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-held-"));
  readonly #process: Bun.Subprocess;
  #answered: (reading: Reading) => void = () => undefined;
  readonly ready: Promise<void>;

  constructor(door: Door) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    const file = join(import.meta.dir, "held", "worker.ts");
    this.#process = Bun.spawn([process.execPath, file, this.#folder, door], {
      stdio: ["ignore", "inherit", "inherit"],
      // It collects as a worker that main has started.
      env: { ...process.env, ...ENGINE_VARIABLES },
      ipc: (message: number | Reading) => {
        if (typeof message !== "number") this.#answered(message);
        else {
          this.port = message;
          resolve();
        }
      },
    });
  }

  ask(question: Question): Promise<Reading> {
    const { promise, resolve } = Promise.withResolvers<Reading>();
    this.#answered = resolve;
    this.#process.send(question);
    return promise;
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function measure(door: Door, transport: Transport, connections: number): Promise<void> {
  const worker = new HeldWorker(door);
  let swarm: Swarm | null = null;
  try {
    await worker.ready;
    swarm = await startSwarm(sluice(door), worker, transport, "held");
    await swarm.grow(BEFORE);
    await Bun.sleep(WARM_UP_MS);
    const before = await worker.ask("heap");
    await swarm.grow(BEFORE + connections);
    await Bun.sleep(SETTLE_MS);
    const after = await worker.ask("heap");
    const heapBytes = (after.heapBytes - before.heapBytes) / connections;
    console.log(
      `\n${door}, ${transport}, ${connections} of them: ${heapBytes.toFixed(0)} bytes of heap each, in it`,
    );
    for (const line of classLines(before, after, connections)) console.log(`  ${line}`);
  } finally {
    await swarm?.stop();
    await worker.stop();
  }
}

function classLines(before: Reading, after: Reading, connections: number): string[] {
  const rows: { name: string; objects: number; bytes: number }[] = [];
  for (const [name, total] of Object.entries(after.classes)) {
    const old = before.classes[name] ?? { objects: 0, bytes: 0 };
    const objects = (total.objects - old.objects) / connections;
    if (objects >= LEAST_SHARE) rows.push({ name, objects, bytes: (total.bytes - old.bytes) / connections });
  }
  rows.sort((left, right) => right.bytes - left.bytes);
  return rows.map(({ name, objects, bytes }) => `${objects.toFixed(2)} ${name}: ${bytes.toFixed(0)} bytes`);
}

const { values, positionals } = parseArgs({
  options: {
    connections: { type: "string", default: "4000" },
    door: { type: "string" },
  },
  allowPositionals: true,
});
const isTransport = (text: string): text is Transport => TRANSPORTS.some((each) => each === text);
const chosen = positionals.length > 0 ? positionals.filter(isTransport) : TRANSPORTS;
for (const door of DOORS) {
  if (values.door !== undefined && values.door !== door) continue;
  for (const transport of chosen) await measure(door, transport, Number(values.connections));
}
