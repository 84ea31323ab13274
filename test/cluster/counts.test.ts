/** Counts of subscribers go with the engine's tail as messages do, and have to be told again. */
import { expect, test } from "bun:test";
import { until } from "../binary/running-server.ts";
import { hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";
import { World } from "./world.ts";

test.if(hasRedis)(
  "a count of subscribers that the engine lost before a node had read it is told again",
  async () => {
    const world = await World.start(2);
    const [told, deaf] = [world.node(0), world.node(1)];
    const pids = await deaf.workerPids();
    const count = async (): Promise<unknown> => (await deaf.statistics("room")).subscribers;
    const first = await new Reader("room", told).start();
    await until("the first to be counted", async () => (await count()) === 1);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    const more = [await new Reader("room", told).start(), await new Reader("room", told).start()];
    await until("a heartbeat with all three", async () => {
      const log = (await world.engine.call("XREVRANGE", "{sluice:main:0}log", "+", "-", "COUNT", "20")) as [
        string,
        string[],
      ][];
      return log.some(([, [, said = ""]]) => said.includes('"room":3'));
    });
    await world.engine.call("FLUSHALL");
    for (const pid of pids) process.kill(pid, "SIGCONT");
    await until("all three to be counted", async () => (await count()) === 3);
    expect(await count()).toBe(3);
    for (const reader of [first, ...more]) await reader.stop();
    await world.stop();
  },
  30_000,
);
