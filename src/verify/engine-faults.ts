/**
 * What `sluice verify --cluster` does to the engine, beside what it does to the nodes (faults.ts). Those that
 * lose messages say so: each reader who had one of them has to be told of it.
 */
import type { Fault, Scene } from "./faults.ts";
import type { OwnEngine } from "./own-engine.ts";
import { signal } from "./own-server.ts";

const LONGEST_STOP_MS = 5000;
/**
 * Accepted after the moment whose state comes back: so many at least are lost, or as many as come in time.
 */
const TAIL = 10;
const TAIL_MS = 2000;

interface EngineScene extends Scene {
  readonly engine: OwnEngine;
}

type EngineFault = readonly [
  name: string,
  what: string,
  strike: (scene: EngineScene) => Promise<void>,
  loses?: "all" | "tail",
];

/** The engine goes on without what was accepted since it had a replica; nobody doubts that there was some. */
async function failOver({ engine, random, recorder }: EngineScene): Promise<void> {
  const before = recorder.accepted;
  const endAt = performance.now() + TAIL_MS;
  while (recorder.accepted < before + TAIL && performance.now() < endAt) await Bun.sleep(10);
  await Bun.sleep(random.between(0, 500));
  await engine.promote();
}

const STRIKES: readonly EngineFault[] = [
  [
    "engine-kill",
    "kill -9 of the engine, which comes back with all that it had on its disk",
    async ({ engine, random }) => {
      await engine.kill();
      await Bun.sleep(random.between(0, 1500));
      await engine.restart({ isEmptied: false });
    },
  ],
  [
    "engine-empty",
    "kill -9 of the engine, which comes back empty",
    async ({ engine }) => {
      await engine.kill();
      await engine.restart({ isEmptied: true });
    },
    "all",
  ],
  [
    "engine-stop",
    "the engine stands still (SIGSTOP) for up to five seconds",
    async ({ engine, random }) => {
      engine.signal("SIGSTOP");
      await Bun.sleep(random.between(100, LONGEST_STOP_MS));
      engine.signal("SIGCONT");
    },
  ],
  [
    "engine-failover",
    "kill -9 of the engine, and a replica that lacks the end of the log takes its place",
    async (scene) => {
      await scene.engine.replicate();
      await failOver(scene);
    },
    "tail",
  ],
  [
    "engine-fork",
    "the same, and one node stood still (SIGSTOP) and has not read what is lost",
    async (scene) => {
      const workers = await scene.own.workers();
      await scene.engine.replicate();
      for (const pid of workers) signal(pid, "SIGSTOP");
      try {
        await failOver(scene);
      } finally {
        for (const pid of workers) signal(pid, "SIGCONT");
      }
    },
    "tail",
  ],
  ["engine-flush", "FLUSHALL", async ({ engine }) => void (await engine.call("FLUSHALL")), "all"],
  ["engine-scripts", "SCRIPT FLUSH", async ({ engine }) => void (await engine.call("SCRIPT", "FLUSH"))],
  [
    "engine-clients",
    "CLIENT KILL of all connections, several times in a row",
    async ({ engine, random }) => {
      for (let times = 0; times < 5; times++) {
        await engine.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await Bun.sleep(random.between(0, 200));
      }
    },
  ],
  [
    "engine-pause",
    "CLIENT PAUSE for up to two seconds",
    async ({ engine, random }) => {
      const ms = random.between(100, 2000);
      await engine.call("CLIENT", "PAUSE", String(ms), "ALL");
      await Bun.sleep(ms);
    },
  ],
  [
    "engine-memory",
    "the engine has no memory left for a while (OOM)",
    async ({ engine, random }) => {
      await engine.call("CONFIG", "SET", "maxmemory", "1");
      await Bun.sleep(random.between(100, 1500));
      await engine.call("CONFIG", "SET", "maxmemory", "0");
    },
  ],
];

export const ENGINE_FAULTS: readonly Fault[] = STRIKES.map(([name, what, strike, loses]) => ({
  name,
  what,
  where: "cluster",
  strike: async (scene) => {
    const { engine } = scene;
    if (engine === null) throw new Error("there is no engine");
    const from = scene.recorder.now();
    await strike({ ...scene, engine });
    if (loses !== undefined) scene.recorder.lost(from, loses);
  },
}));
