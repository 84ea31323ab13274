// Publishing for a second or so, through a node and without one: what the row "publish" of run.ts compares.
import { APPEND } from "../../src/cluster/script.ts";
import type { RunningServer } from "../../test/binary/running-server.ts";
import type { Engine } from "../../test/cluster/engine.ts";
import { childrenOf, cpuUs } from "../process-figures.ts";
import { hammer } from "./sockets.ts";

export const BYTES = 200;
export const CONNECTIONS = 32;

/** The script through the same library, without HTTP: so many calls in flight. */
async function bareScript(engine: Engine, seconds: number): Promise<number> {
  const { redis } = engine;
  if (redis === null) throw new Error("the engine does not run");
  const sha = String(await redis.call("SCRIPT", "LOAD", APPEND));
  const data = Buffer.alloc(BYTES, 0x61);
  let done = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  const one = async (at: number): Promise<void> => {
    const keys = ["{bare}meta", "{bare}log", "{bare}nodes", `{bare}c:${at}`];
    while (performance.now() < until) {
      await redis.callBuffer("EVALSHA", [
        ...[sha, "4", ...keys, "m", "run", "0", "0", "0", "0 0", "1", "1", "who", "3600000", "300"],
        ...[`bench-${at}`, "s", data, "", "", "1", ""],
      ]);
      done++;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, at) => one(at)));
  return (done * 1000) / (performance.now() - began);
}

export interface Turn {
  readonly perSecond: number;
  /** CPU a message, of the engine and of who talks to it. */
  readonly engineUs: number;
  readonly clientUs: number;
}

export const turnText = ({ perSecond, engineUs, clientUs }: Turn): string =>
  `${perSecond.toFixed(0)}/s (engine ${engineUs.toFixed(1)}, client ${clientUs.toFixed(1)} us of CPU each)`;

export async function bareTurn(engine: Engine, seconds: number): Promise<Turn> {
  const [engineBefore, before] = [await usedUs(engine), process.cpuUsage()];
  const perSecond = await bareScript(engine, seconds);
  const { user, system } = process.cpuUsage(before);
  const count = perSecond * seconds;
  return {
    perSecond,
    engineUs: ((await usedUs(engine)) - engineBefore) / count,
    clientUs: (user + system) / count,
  };
}

export async function nodeTurn(engine: Engine, node: RunningServer, seconds: number): Promise<Turn> {
  const [engineBefore, before] = [await usedUs(engine), cpuUs(ofNode(node))];
  const { perSecond, refused } = await hammer(node.port, CONNECTIONS, BYTES, seconds);
  if (refused > 0) throw new Error(`${refused} publishes were refused`);
  const count = perSecond * seconds;
  const clientUs = (cpuUs(ofNode(node)) - before) / count;
  return { perSecond, engineUs: ((await usedUs(engine)) - engineBefore) / count, clientUs };
}

export const usedUs = async (engine: Engine): Promise<number> => {
  const info = String(await engine.call("INFO", "cpu"));
  const value = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1] ?? 0);
  return 1e6 * (value("used_cpu_user") + value("used_cpu_sys"));
};

export const ofNode = ({ process }: RunningServer): number[] => [process.pid, ...childrenOf(process.pid)];
