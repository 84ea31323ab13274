/** What a handler publishes on a node: answered when the engine has answered, refused when that refuses. */
import { expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layout, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";

const SAY = `export default async ({ publish, query }) => {
  const bytes = new TextEncoder().encode(query.get("text"));
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
    const cluster = `[cluster]\nengine = "redis://127.0.0.1:${engine.port}"\nnode = "a"\n[store]\nsize = "4MiB"`;
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
