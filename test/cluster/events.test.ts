/**
 * The events channel over nodes: one for all, in one order; each node tells of what happens on it, once,
 * whatever dies meanwhile.
 */
import { expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";

interface Event {
  readonly type: string;
  readonly channel: string;
  readonly node: string;
}

const toml = (port: number, node: string): string =>
  `events_channel_id = "events"\n${layout(
    `[cluster]\nengine = "redis://127.0.0.1:${port}"\nnode = "${node}"\n` +
      `engine_timeout = "1s"\n[store]\nsize = "4MiB"`,
    { ev: 'event_ids = "auto"\nallow_connections_to_events_channel = true' },
  )}`;

test.if(hasRedis)(
  "comings and goings on every node are told in one channel, each once, none lost without the engine",
  async () => {
    const engine = await new Engine(["--appendonly", "yes", "--appendfsync", "always"]).start();
    const nodes: RunningServer[] = [];
    for (const name of ["a", "b"]) nodes.push(await startServer({ toml: toml(engine.port, name) }));
    const [a, b] = nodes as [RunningServer, RunningServer];
    const events = await new Reader("events", b).start();
    const told = (): string[] =>
      events.texts
        .map((text) => JSON.parse(text) as Event)
        .filter(({ channel }) => channel !== "events")
        .map(({ type, channel, node }) => `${node} ${channel} ${type}`);
    const heard = (count: number): Promise<void> => until(`${count} events`, () => told().length === count);

    const first = await new Reader("room", a).start();
    await heard(2);
    // So that it is no beginning there.
    await until("the other node to know", async () => (await b.statistics("room")).subscribers === 1);
    await b.publish("room", "m");
    await until("the message", () => first.texts.length === 1);
    const second = await new Reader("room", b).start();
    await heard(3);
    expect(told()).toEqual([
      "a room channel_created",
      "a room client_subscribed",
      "b room client_subscribed",
    ]);

    await engine.kill();
    await first.stop();
    for (const pid of await a.workerPids()) process.kill(pid, "SIGKILL");
    await engine.start();
    await heard(4);
    await second.stop();
    await heard(5);
    await b.request("/pub?id=room", { method: "DELETE" });
    await heard(6);
    expect(told().slice(3)).toEqual([
      "a room client_unsubscribed",
      "b room client_unsubscribed",
      "a room channel_destroyed",
    ]);
    expect(events.gaps).toBe(0);
    // In no total, as on one machine; and nobody publishes there.
    expect((await b.publish("events", "x")).status).toBe(403);
    expect((await a.summary()).stored_messages).toBe(0);
    await events.stop();
    for (const node of nodes) await node.stop();
    await engine.stop();
  },
  30_000,
);
