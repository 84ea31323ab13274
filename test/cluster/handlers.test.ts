/**
 * What a handler publishes on a node is answered when the engine has answered, refused when that refuses;
 * timers run on one node.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";

const SAY = `export default async ({ publish, query }) => {
  const bytes = Buffer.from(query.get("text"));
  const publishing = publish("room", bytes);
  bytes.fill(0);
  if (query.has("forget")) return "forgotten";
  try { return JSON.stringify(await publishing); }
  catch (error) { return error.name + " " + error.status + " " + error.code; }
};`;

test.if(hasRedis)(
  "a handler's publish waits for the engine, and rejects when that does not take it",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-cluster-handlers-"));
    writeFileSync(join(folder, "say.ts"), SAY);
    const engine = await new Engine().start();
    const address = `redis://127.0.0.1:${engine.port}`;
    const cluster = `[cluster]\nengine = "${address}"\nnode = "a"\n[store]\nsize = "4MiB"`;
    const handler = `[[location]]\nmatch = "= /say"\nhandler = "say.ts"\n`;
    const toml = `${layout(cluster, {})}\n${handler}`;
    const node = await startServer({ toml, folder, workers: 1 });
    const say = async (query: string): Promise<string> => (await node.request(`/say?${query}`)).text;
    const first = JSON.parse(await say("text=one"));
    const second = JSON.parse(await say("text=two"));
    expect(second).toEqual({ channel: "room", published: 2, stored: 2, subscribers: 0, id: first.id + 1 });
    expect((await node.request("/poll/room.b2")).text).toBe("onetwo");
    await engine.call("CONFIG", "SET", "maxmemory", "1");
    expect(await say("text=three")).toBe("RefusedError 503 engine_full");
    expect(await say("text=four&forget")).toBe("forgotten");
    await until("the log to say so", () =>
      node.log.includes("what a handler published was not taken why=engine_full"),
    );
    expect((await node.statistics("room")).published_messages).toBe(2);
    await node.stop();
    await engine.stop();
  },
);

const TIMER = `export default () => "x";
export const every = {
  "1s": async ({ log, sleep }) => { log("ran", { at: Math.floor(Date.now() / 1000) }); await sleep(300); },
};`;

test.if(hasRedis)(
  "a timer runs on one node; on another when that one dies; on none while the engine is away",
  async () => {
    const engine = await new Engine().start();
    const start = (name: string): Promise<RunningServer> => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-cluster-timers-"));
      writeFileSync(join(folder, "timer.ts"), TIMER);
      const cluster =
        `[cluster]\nengine = "redis://127.0.0.1:${engine.port}"\nnode = "${name}"\n` +
        `engine_timeout = "500ms"\n[store]\nsize = "4MiB"`;
      const toml = `${layout(cluster, {})}\n[[location]]\nmatch = "= /timer"\nhandler = "timer.ts"\n`;
      return startServer({ toml, folder, workers: 2 });
    };
    const nodes = await Promise.all([start("a"), start("b")]);
    const secondsOf = ({ log }: RunningServer): string[] =>
      Array.from(log.matchAll(/ran at=(\d+)/g), ([, at = ""]) => at);
    await until("four runs", () => nodes.flatMap(secondsOf).length >= 4);
    const all = nodes.flatMap(secondsOf);
    expect(new Set(all).size).toBe(all.length);
    const [first, second] = nodes[0] && secondsOf(nodes[0]).length > 0 ? nodes : nodes.toReversed();
    if (first === undefined || second === undefined) throw new Error("no nodes");
    expect(secondsOf(second)).toEqual([]);
    first.process.kill("SIGKILL");
    await first.process.exited;
    // Its turn ends five seconds after it said so last.
    await until("the other", () => secondsOf(second).length > 0, 15_000);
    await engine.stop();
    await until("the line of it", () => second.log.includes("a timer was passed over"));
    const before = secondsOf(second).length;
    await until("another one", () => (second.log.match(/was passed over/g)?.length ?? 0) > 2);
    expect(secondsOf(second).length).toBe(before);
    await second.stop();
  },
  45_000,
);
