/**
 * Faults put upon a cluster of three nodes while publishers publish and readers read, and the history
 * checker's judgement (history.ts): order, nothing twice, a lost tail told, refused means absent, and all
 * nodes agreeing in the end. On the compiled binary and real redis-servers.
 */
import { describe, expect, test } from "bun:test";
import { until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { World } from "./world.ts";

const APPEND_ONLY = ["--appendonly", "yes", "--appendfsync", "always"];

async function replica(world: World): Promise<Engine> {
  const made = await world.another();
  await made.follow(world.engine);
  return made;
}

interface Fault {
  readonly name: string;
  readonly options?: readonly string[];
  /** Left to the longer run: another covers most of it. */
  readonly isLong?: true;
  readonly does: (world: World) => Promise<void>;
  /** Whether readers must have been told of something, or must not. */
  readonly gaps: "some" | "none";
}

const FAULTS: readonly Fault[] = [
  {
    name: "the engine is killed and comes back with all it had",
    options: APPEND_ONLY,
    gaps: "none",
    does: async (world) => {
      await world.engine.kill();
      await Bun.sleep(300);
      await world.engine.start();
    },
  },
  {
    name: "the engine is killed and comes back empty",
    isLong: true,
    gaps: "some",
    does: async (world) => {
      await world.note();
      await world.quiet();
      await world.note();
      await world.engine.kill();
      await world.engine.start();
    },
  },
  {
    name: "FLUSHALL",
    isLong: true,
    gaps: "some",
    does: async (world) => {
      await world.quiet();
      await world.note();
      await world.engine.call("FLUSHALL");
    },
  },
  {
    name: "the engine stands still for three seconds",
    isLong: true,
    gaps: "none",
    does: async (world) => {
      world.engine.signal("SIGSTOP");
      await Bun.sleep(3000);
      world.engine.signal("SIGCONT");
    },
  },
  {
    name: "a replica that has everything takes over",
    isLong: true,
    gaps: "none",
    does: async (world) => {
      const next = await replica(world);
      await world.quiet();
      await next.follow(world.engine);
      await world.promote(next);
    },
  },
  {
    name: "a replica that lacks the end takes over",
    gaps: "some",
    does: async (world) => {
      const next = await replica(world);
      await next.call("REPLICAOF", "NO", "ONE");
      await world.burst(10);
      await world.quiet();
      await world.note();
      await until("the readers to have the tail", () =>
        world.readers.every(({ texts }) => texts.length > 10),
      );
      await world.promote(next);
    },
  },
  {
    name: "an empty server takes over, and another empty one within the same second",
    gaps: "some",
    does: async (world) => {
      await world.quiet();
      await world.note();
      for (let turn = 0; turn < 2; turn++) {
        const next = await world.another();
        await world.promote(next);
        await until(
          "a message to be taken",
          async () => (await world.publish("green", turn)).outcome === "taken",
        );
        await world.note();
      }
    },
  },
  {
    name: "the engine is emptied, and a node that was never there before reaches it first",
    gaps: "some",
    does: async (world) => {
      await world.quiet();
      await world.note();
      // What such a node does before it serves, in the same step of the engine: nobody comes between.
      const meta = "{sluice:main:0}meta";
      await world.engine.call(
        "EVAL",
        `redis.call('FLUSHALL') redis.call('HSET', '${meta}', 'epoch', 4711, 'shards', 1)`,
        "0",
      );
      world.nodes.push(await world.startNode("stranger"));
      await world.burst(5);
    },
  },
  {
    name: "SCRIPT FLUSH, and every client is thrown out",
    isLong: true,
    gaps: "none",
    does: async (world) => {
      for (let turn = 0; turn < 5; turn++) {
        await world.engine.call("SCRIPT", "FLUSH");
        await world.engine.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await Bun.sleep(100);
      }
    },
  },
  {
    name: "CLIENT PAUSE",
    isLong: true,
    gaps: "none",
    does: async (world) => {
      await world.engine.call("CLIENT", "PAUSE", "1500", "ALL");
      await Bun.sleep(2000);
    },
  },
  {
    name: "no memory in the engine for a while",
    isLong: true,
    gaps: "none",
    does: async (world) => {
      await world.engine.call("CONFIG", "SET", "maxmemory", "1");
      await until("a refusal", async () => (await world.publish("red")).outcome === "refused");
      await world.engine.call("CONFIG", "SET", "maxmemory", "0");
    },
  },
  {
    name: "a worker of each node is killed, so the one that reads as well",
    gaps: "none",
    does: async (world) => {
      for (const node of world.nodes) for (const pid of await node.workerPids()) process.kill(pid, "SIGKILL");
      await Bun.sleep(300);
    },
  },
  {
    name: "a node is killed and comes back",
    gaps: "none",
    does: async (world) => {
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
    does: async (world) => {
      for (let bytes = 1; bytes <= 61; bytes += 3) {
        world.wire.cutAfter = bytes;
        world.wire.cut();
        await Bun.sleep(30);
      }
      world.wire.cutAfter = 0;
    },
  },
];

const isLongRun = process.env["SLUICE_LONG"] !== undefined;

/** Worlds at a time: most of it is waiting. */
const LANES = 3;
let free = LANES;
const queue: (() => void)[] = [];

async function inLane(work: () => Promise<void>): Promise<void> {
  if (free === 0) await new Promise<void>((resolve) => queue.push(resolve));
  else free--;
  try {
    await work();
  } finally {
    const next = queue.shift();
    if (next === undefined) free++;
    else next();
  }
}

/** One after the other, in one world: starting its nodes costs more than most faults. */
async function judge(faults: readonly Fault[]): Promise<void> {
  const world = await World.start(3, new Engine(faults.flatMap(({ options = [] }) => options)));
  try {
    await world.read();
    world.bustle(10);
    await until("some messages", () => world.taken > 60, 30_000);
    for (const { does } of faults) {
      await does(world);
      await world.works();
    }
    // Half of them go on elsewhere.
    for (const [at, reader] of world.readers.entries())
      if (at % 2 === 0) await reader.move(world.node(at + 1));
    await Bun.sleep(200);
    await world.quiet();
    await world.settle();
    expect(await world.faults()).toEqual([]);
    const told = world.readers.reduce((sum, reader) => sum + reader.gaps, 0);
    expect({ told: told > 0 }).toEqual({ told: faults.some(({ gaps }) => gaps === "some") });
  } finally {
    await world.stop();
  }
}

/** The longer run tells which of them it was. */
const groups = isLongRun
  ? FAULTS.map((fault) => [fault])
  : [
      FAULTS.filter(({ isLong, gaps }) => !isLong && gaps === "none"),
      ...FAULTS.filter(({ isLong, gaps }) => !isLong && gaps === "some").map((fault) => [fault]),
    ];

describe.if(hasRedis)("a cluster of three nodes", () => {
  for (const group of groups)
    test.concurrent(group.map(({ name }) => name).join("; "), () => inLane(() => judge(group)), 180_000);
});
