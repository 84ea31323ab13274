/**
 * Faults put upon a cluster of three nodes while publishers publish and readers read, and the history checker's judgement (history.ts): order,
 * nothing twice, a lost tail told, refused means absent, and all nodes agreeing in the end. On the compiled binary and real redis-servers.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { CHANNELS, World } from "./world.ts";

const APPEND_ONLY = ["--appendonly", "yes", "--appendfsync", "always"];
let world: World;
const more: Engine[] = [];

afterEach(async () => {
  await world.stop();
  for (const engine of more.splice(0)) await engine.stop();
});

async function replica(): Promise<Engine> {
  const made = await new Engine().start();
  more.push(made);
  await made.follow(world.engine);
  return made;
}

/** From here on it is the one that the nodes find. */
async function promote(next: Engine): Promise<void> {
  await next.call("REPLICAOF", "NO", "ONE");
  const before = world.engine;
  more.splice(more.indexOf(next), 1, before);
  await before.kill();
  world.engine = next;
  world.wire.switchTo(next.port);
}

interface Fault {
  readonly name: string;
  readonly options?: readonly string[];
  readonly does: () => Promise<void>;
  /** Whether readers must have been told of something, or must not. */
  readonly gaps: "some" | "none" | "any";
}

const FAULTS: readonly Fault[] = [
  {
    name: "the engine is killed and comes back with all it had",
    options: APPEND_ONLY,
    gaps: "none",
    does: async () => {
      await world.engine.kill();
      await Bun.sleep(300);
      await world.engine.start();
    },
  },
  {
    name: "the engine is killed and comes back empty",
    gaps: "some",
    does: async () => {
      await world.note();
      await world.quiet();
      await world.note();
      await world.engine.kill();
      await world.engine.start();
    },
  },
  {
    name: "FLUSHALL",
    gaps: "some",
    does: async () => {
      await world.quiet();
      await world.note();
      await world.engine.call("FLUSHALL");
    },
  },
  {
    name: "the engine stands still for three seconds",
    gaps: "none",
    does: async () => {
      world.engine.signal("SIGSTOP");
      await Bun.sleep(3000);
      world.engine.signal("SIGCONT");
    },
  },
  {
    name: "a replica that has everything takes over",
    gaps: "none",
    does: async () => {
      const next = await replica();
      await world.quiet();
      await next.follow(world.engine);
      await promote(next);
    },
  },
  {
    name: "a replica that lacks the end takes over",
    gaps: "some",
    does: async () => {
      const next = await replica();
      await next.call("REPLICAOF", "NO", "ONE");
      await world.burst(10);
      await world.quiet();
      await world.note();
      await until("the readers to have the tail", () =>
        world.readers.every(({ texts }) => texts.length > 10),
      );
      await promote(next);
    },
  },
  {
    name: "an empty server takes over, and another empty one within the same second",
    gaps: "some",
    does: async () => {
      await world.quiet();
      await world.note();
      for (let turn = 0; turn < 2; turn++) {
        const next = await new Engine().start();
        more.push(next);
        await promote(next);
        await until(
          "a message to be taken",
          async () => (await world.publish("green", turn)).outcome === "taken",
        );
        await world.note();
      }
    },
  },
  {
    name: "SCRIPT FLUSH, and every client is thrown out",
    gaps: "none",
    does: async () => {
      for (let turn = 0; turn < 5; turn++) {
        await world.engine.call("SCRIPT", "FLUSH");
        await world.engine.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await Bun.sleep(100);
      }
    },
  },
  {
    name: "CLIENT PAUSE",
    gaps: "none",
    does: async () => {
      await world.engine.call("CLIENT", "PAUSE", "1500", "ALL");
      await Bun.sleep(2000);
    },
  },
  {
    name: "no memory in the engine for a while",
    gaps: "none",
    does: async () => {
      await world.engine.call("CONFIG", "SET", "maxmemory", "1");
      await until("a refusal", async () => (await world.publish("red")).outcome === "refused");
      await world.engine.call("CONFIG", "SET", "maxmemory", "0");
    },
  },
  {
    name: "a worker of each node is killed, so the one that reads as well",
    gaps: "none",
    does: async () => {
      for (const node of world.nodes) for (const pid of await node.workerPids()) process.kill(pid, "SIGKILL");
      await Bun.sleep(300);
    },
  },
  {
    name: "a node is killed and comes back",
    gaps: "none",
    does: async () => {
      const node = world.node(0);
      node.process.kill("SIGKILL");
      await node.process.exited;
      await Bun.sleep(200);
      world.nodes[0] = await world.startNode("node-0", "", { folder: node.folder, port: node.port });
    },
  },
  {
    name: "connections are cut in the middle of an answer, again and again",
    gaps: "none",
    does: async () => {
      for (let bytes = 1; bytes <= 61; bytes += 3) {
        world.wire.cutAfter = bytes;
        world.wire.cut();
        await Bun.sleep(30);
      }
      world.wire.cutAfter = 0;
    },
  },
];

describe.if(hasRedis)("a cluster of three nodes", () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))(
    "%s",
    async (_name, { options, does, gaps }) => {
      world = await World.start(3, new Engine(options));
      await world.read();
      world.bustle();
      await until("some messages", () => world.taken > 60);
      await does();
      await world.works();
      // Half of them go on elsewhere.
      for (const [at, reader] of world.readers.entries())
        if (at % 2 === 0) await reader.move(world.node(at + 1));
      await Bun.sleep(200);
      await world.quiet();
      await world.settle();
      expect(await world.faults()).toEqual([]);
      const told = world.readers.reduce((sum, reader) => sum + reader.gaps, 0);
      if (gaps !== "any") expect({ told: told > 0 }).toEqual({ told: gaps === "some" });
      expect(world.readers.length).toBe(CHANNELS.length * world.nodes.length);
    },
    60_000,
  );
});
