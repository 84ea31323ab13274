/**
 * Faults that may fall at any time, one after the other, on a world whose publishers go on: for the longer
 * run (long.ts).
 */
import type { World } from "./world.ts";

interface Chaos {
  readonly name: string;
  readonly does: (world: World) => Promise<void>;
}

export const CHAOS: readonly Chaos[] = [
  {
    name: "FLUSHALL",
    does: async (world) => {
      await world.note();
      await world.engine.call("FLUSHALL");
    },
  },
  {
    name: "restart empty",
    does: async (world) => {
      await world.note();
      await world.engine.kill();
      await world.engine.start();
    },
  },
  {
    name: "failover with a lost tail",
    does: async (world) => {
      const next = await world.another();
      await next.follow(world.engine);
      await next.call("REPLICAOF", "NO", "ONE");
      await world.burst(5);
      await world.note();
      await world.promote(next);
    },
  },
  {
    name: "stands still",
    does: async (world) => {
      world.engine.signal("SIGSTOP");
      await Bun.sleep(1500);
      world.engine.signal("SIGCONT");
    },
  },
  {
    name: "connections cut",
    does: async (world) => {
      for (let bytes = 2; bytes < 200; bytes = Math.ceil(bytes * 1.7)) {
        world.wire.cutAfter = bytes;
        world.wire.cut();
        await Bun.sleep(20);
      }
      world.wire.cutAfter = 0;
    },
  },
  {
    name: "workers killed",
    does: async (world) => {
      for (const pid of await world.node(0).workerPids()) process.kill(pid, "SIGKILL");
    },
  },
  {
    name: "node killed",
    does: async (world) => {
      const node = world.node(1);
      node.process.kill("SIGKILL");
      await node.process.exited;
      world.nodes[1] = await world.startNode("node-1", "", { folder: node.folder, port: node.port });
      for (const reader of world.readers) if (reader.node === node) reader.node = world.node(1);
    },
  },
  {
    name: "scripts forgotten",
    does: async (world) => {
      await world.engine.call("SCRIPT", "FLUSH");
    },
  },
];
