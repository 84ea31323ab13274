/**
 * What `sluice verify --cluster` does to the engine, beside what it does to the nodes (faults.ts). Those that
 * lose messages say so: each reader who had one of them has to be told of it.
 */
import type { Fault, Scene } from "./faults.ts";
import type { OwnEngine } from "./own-engine.ts";

const LONGEST_STOP_MS = 5000;

interface EngineScene extends Scene {
  readonly engine: OwnEngine;
}

type EngineFault = readonly [
  name: string,
  what: string,
  strike: (scene: EngineScene) => Promise<void>,
  isLossy?: "loses",
];

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
    "loses",
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
    async ({ engine, random }) => {
      await engine.replicate();
      await Bun.sleep(random.between(100, 1000));
      await engine.promote();
    },
    "loses",
  ],
  ["engine-flush", "FLUSHALL", async ({ engine }) => void (await engine.call("FLUSHALL")), "loses"],
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

export const ENGINE_FAULTS: readonly Fault[] = STRIKES.map(([name, what, strike, isLossy]) => ({
  name,
  what,
  where: "cluster",
  strike: async (scene) => {
    const { engine } = scene;
    if (engine === null) throw new Error("there is no engine");
    await strike({ ...scene, engine });
    if (isLossy === "loses") scene.recorder.lost();
  },
}));
