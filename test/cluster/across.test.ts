/**
 * What users see of two nodes over one engine: a place in a channel means the same on both, and so do
 * statistics, deletions and limits.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RunningServer, until } from "../binary/running-server.ts";
import { Collector } from "../client/collector.ts";
import { Cutter } from "../client/cutter.ts";
import { Engine, hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";
import { World } from "./world.ts";

let world: World;
let names = 0;
/** A channel that no other test has. */
const fresh = (): string => `across-${++names}`;

const post = (node: number, channel: string, text: string) => world.node(node).publish(channel, text);

describe.if(hasRedis)("two nodes", () => {
  beforeAll(async () => {
    world = await World.start(2);
  });
  afterAll(() => world.stop());

  test("a publish is answered alike on both, and what was answered is there at once", async () => {
    const channel = fresh();
    for (let count = 1; count <= 20; count++) {
      const { status, text } = await post(count, channel, `m${count}`);
      expect([status, JSON.parse(text)]).toEqual([
        200,
        { channel, published_messages: count, stored_messages: count, subscribers: 0 },
      ]);
    }
    for (const node of world.nodes) {
      await until("it on the other", async () => (await node.statistics(channel)).published_messages === 20);
      expect(await node.statistics(channel)).toMatchObject({ stored_messages: 20 });
    }
    const bodies = await Promise.all(world.nodes.map((node) => node.request(`/poll/${channel}.b20`)));
    expect(bodies[0]?.text).toBe(bodies[1]?.text);
    expect(bodies[0]?.headers.get("etag")).toBe(bodies[1]?.headers.get("etag"));
  });

  test("who moves at every message to the other node misses nothing and gets nothing twice", async () => {
    const channel = fresh();
    const reader = await new Reader(channel, world.node(0)).start();
    for (let count = 0; count < 12; count++) {
      await post(count, channel, `m${count}`);
      if (count === 0) await until("the first", () => reader.texts.length === 1);
      if (count % 3 === 0) await reader.stop();
      await post(count + 1, channel, `n${count}`);
      await reader.move(world.node(count + 1));
    }
    await until("the last one", () => reader.texts.length === 24);
    expect(reader.texts).toEqual(Array.from({ length: 12 }, (_, i) => [`m${i}`, `n${i}`]).flat());
    expect(reader.gaps).toBe(0);
    await reader.stop();
  });

  test("the client of pages moves from node to node and misses nothing, on every transport", async () => {
    const channels = [fresh(), fresh()];
    const cutter = new Cutter(world.node(0).port);
    const options = { maxDelay: 100 };
    const clients = (["websocket", "sse", "poll"] as const).map(
      (transport) => new Collector(cutter.url, transport, options),
    );
    for (const client of clients) for (const channel of channels) client.follow(channel);
    await until("all are open", () => clients.every(({ client }) => client.state === "open"));
    const [busy = "", quiet = ""] = channels;
    for (let count = 1; count <= 6; count++) {
      await post(count, busy, `a${count}`);
      cutter.port = world.node(count).port;
      cutter.cut();
      await post(count + 1, busy, `b${count}`);
    }
    // Until now nobody had ever published there, and everybody has moved.
    await post(0, quiet, "first");
    await until("all have all", () =>
      clients.every((one) => one.of(busy).length >= 12 && one.of(quiet).length > 0),
    );
    for (const one of clients) {
      expect(one.of(busy)).toEqual([1, 2, 3, 4, 5, 6].flatMap((count) => [`a${count}`, `b${count}`]));
      expect([one.of(quiet), one.missed, one.errors]).toEqual([["first"], 0, []]);
      one.client.close();
    }
    cutter.stop();
  });

  test("several channels of one connection, one of which nobody ever published to", async () => {
    const [one, two, three] = [fresh(), fresh(), fresh()];
    const reader = await new Reader(`${one}/${two}/${three}`, world.node(0)).start();
    await post(0, one, "a");
    await until("the first", () => reader.texts.length === 1);
    await reader.stop();
    await post(1, two, "b");
    await post(0, one, "c");
    await reader.move(world.node(1));
    await until("what was missed", () => reader.texts.length === 3);
    await reader.stop();
    await post(1, three, "d");
    await reader.move(world.node(0));
    await until("the first of the third", () => reader.texts.length === 4);
    expect([...reader.texts].sort()).toEqual(["a", "b", "c", "d"]);
    expect(reader.gaps).toBe(0);
    await reader.stop();
  });

  test("time and tag of a poll on one node go on on the other", async () => {
    const channel = fresh();
    for (let count = 0; count < 10; count++) await post(count, channel, `m${count},`);
    // The last one went to the other node.
    await until("it is here", async () =>
      (await world.node(0).request(`/poll/${channel}.b1`)).text.includes("m9"),
    );
    const first = await world.node(0).request(`/poll/${channel}.b4`);
    expect(first.text).toBe("m6,m7,m8,m9,");
    const headers = {
      "If-Modified-Since": first.headers.get("last-modified") ?? "",
      "If-None-Match": first.headers.get("etag") ?? "",
    };
    expect((await world.node(1).request(`/poll/${channel}`, { headers })).status).toBe(304);
    await post(0, channel, "more");
    // A node that nobody stands at reads the log a little later.
    const more = async (): Promise<string> =>
      (await world.node(1).request(`/poll/${channel}`, { headers })).text;
    await until("it is there", async () => (await more()) !== "");
    expect(await more()).toBe("more");
    const held = world.node(1).request(`/lp/${channel}`);
    await until("the poll to wait", async () => (await world.node(1).statistics(channel)).subscribers === 1);
    await post(0, channel, "live");
    expect((await held).text).toBe("live");
  });

  test("time and tag the node never reads are refused after a second, and are no place here", async () => {
    const moment = new Date(Date.now() + 30_000).toUTCString();
    const headers = { "If-Modified-Since": moment, "If-None-Match": "5" };
    const ask = world.node(0).request("/lp/behind", { headers });
    const { promise: closed, resolve } = Promise.withResolvers<CloseEvent>();
    new WebSocket(`ws://127.0.0.1:${world.node(1).port}/ws/behind`, { headers }).onclose = resolve;
    const answer = await ask;
    expect([
      answer.status,
      answer.headers.get("retry-after"),
      answer.headers.get("x-nginx-pushstream-explain"),
    ]).toEqual([503, "1", "This node has not read so far yet."]);
    expect((await closed).code).toBe(1013);
  });

  test("a WebSocket gets what was published on the other node, and reaches it", async () => {
    const channel = fresh();
    const socket = new WebSocket(`ws://127.0.0.1:${world.node(1).port}/ws/${channel}`);
    const got: string[] = [];
    socket.onmessage = ({ data }) => got.push(String(data));
    await until("the socket", () => socket.readyState === WebSocket.OPEN);
    for (let count = 0; count < 50; count++) await post(0, channel, `m${count}`);
    await until("all of them", () => got.length === 50);
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `m${i}`));
    socket.close();
  });

  test("messages that come at the same moment keep their own bytes", async () => {
    for (const [at, node] of world.nodes.entries()) {
      const channel = fresh();
      const texts = Array.from({ length: 300 }, (_, i) => `message-${String(i).padStart(3, "0")}`);
      const workers = await node.workerPids();
      // They all lie there when the workers look.
      for (const pid of workers) process.kill(pid, "SIGSTOP");
      const posted = texts.map((text) => post(at, channel, text));
      await Bun.sleep(50);
      for (const pid of workers) process.kill(pid, "SIGCONT");
      await Promise.all(posted);
      const { text } = await node.request(`/poll/${channel}.b300`);
      expect([...(text.match(/message-\d+/g) ?? [])].sort()).toEqual(texts);
    }
  });

  test("a message sent again to the other node with its key has the first answer; also lines", async () => {
    const channel = fresh();
    const headers = { "Idempotency-Key": "k1", Accept: "application/vnd.sluice+json" };
    const [a, b] = [world.node(0), world.node(1)];
    const first = JSON.parse((await a.publish(channel, "once", headers)).text);
    const again = JSON.parse((await b.publish(channel, "once", headers)).text);
    expect(again).toEqual({ ...first, duplicate: true });
    expect((await b.publish(channel, "twice", headers)).status).toBe(409);
    const lines = Array.from({ length: 100 }, (_, at) => ({ channel, data: `m${at}`, key: `b${at}` }));
    const batch = async (node: RunningServer): Promise<string[]> => {
      const body = lines.map((line) => JSON.stringify(line)).join("\n");
      const init = { method: "POST", body, headers: { "Content-Type": "application/x-ndjson" } };
      return (await node.request("/pub", init)).text.trim().split("\n");
    };
    const told = (await batch(b)).map((line) => JSON.parse(line));
    expect(told.length).toBe(100);
    expect((await batch(a)).map((line) => JSON.parse(line))).toEqual(
      told.map((one) => ({ ...one, duplicate: true })),
    );
    for (const node of [a, b])
      await until("all of it", async () => (await node.statistics(channel)).published_messages === 101);
    // Positions of one node are places on the other.
    const reader = await new Reader(channel, a, told[97].position).start();
    await until("what comes behind", () => reader.texts.length === 2);
    expect([reader.texts, reader.gaps]).toEqual([["m98", "m99"], 0]);
    await reader.stop();
  });

  test("bytes, event ids and types come as they went in", async () => {
    const channel = fresh();
    const bytes = new Uint8Array(256).map((_, i) => i);
    await world.node(0).publish(channel, bytes, { "Event-Id": "id 1", "Event-Type": "kind" });
    await until(
      "it to be there",
      async () => (await world.node(1).statistics(channel)).stored_messages === 1,
    );
    const answer = await fetch(`${world.node(1).url}/poll/${channel}.b1`);
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
    const reader = await new Reader(`${channel}.b1`, world.node(1)).start();
    await reader.stop();
  });

  test("subscribers are counted over both nodes, within two heartbeats", async () => {
    const channel = fresh();
    const readers = [
      await new Reader(channel, world.node(0)).start(),
      await new Reader(channel, world.node(1)).start(),
      await new Reader(channel, world.node(1)).start(),
    ];
    for (const node of world.nodes)
      await until("three", async () => (await node.statistics(channel)).subscribers === 3);
    for (const reader of readers) await reader.stop();
    for (const node of world.nodes)
      await until("none", async () => (await node.statistics(channel)).subscribers === 0);
    expect(JSON.parse((await world.node(0).request("/channels-stats")).text).nodes).toBe(2);
  });

  test("a deletion on one node ends the channel for who stands in it on the other", async () => {
    const channel = fresh();
    await post(0, channel, "before");
    const reader = new Reader(channel, world.node(1));
    await reader.start();
    const answer = await world.node(0).request(`/pub?id=${channel}`, { method: "DELETE" });
    expect([answer.status, answer.headers.get("x-nginx-pushstream-explain")]).toEqual([
      200,
      "Channel deleted.",
    ]);
    await until("the word of it", () => reader.texts.includes("Channel deleted"));
    await reader.stop();
    const again = await world.node(1).request(`/pub?id=${channel}`, { method: "DELETE" });
    expect(again.status).toBe(404);
    expect(JSON.parse((await post(1, channel, "anew")).text)).toMatchObject({
      published_messages: 1,
      stored_messages: 1,
    });
  });

  test("a node that starts late has what was published before, and is ready then", async () => {
    const channel = fresh();
    for (let count = 0; count < 200; count++) await post(count, channel, `m${count}`);
    const late = await world.startNode("late");
    expect(await late.statistics(channel)).toMatchObject({ published_messages: 200, stored_messages: 200 });
    const reader = await new Reader(`${channel}.b200`, late).start();
    await until("all", () => reader.texts.length === 200);
    await reader.stop();
    // Deleted channels are emptied a second later, on each node in its own time.
    await until("all nodes to have the same", async () => {
      const [own, others] = await Promise.all([late.summary(), world.node(0).summary()]);
      return own.stored_messages === others.stored_messages;
    });
    await late.stop();
  });

  test("ten thousand positions looked up cost the engine no command", async () => {
    const channel = fresh();
    for (let count = 0; count < 20; count++) await post(count, channel, `m${count}`);
    const calls = async (): Promise<number> => {
      const info = String(await world.engine.call("INFO", "commandstats"));
      // What the nodes do by themselves: heartbeats, trimming and waiting for the log.
      return [...info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
        .filter(
          ([, name = ""]) => !/^(evalsha|xread|info|xadd|hset|hmget|time|memory|xlen|xtrim|xinfo)/.test(name),
        )
        .reduce((sum, [, , count]) => sum + Number(count), 0);
    };
    const evals = async (): Promise<number> =>
      Number(
        /cmdstat_evalsha:calls=(\d+)/.exec(String(await world.engine.call("INFO", "commandstats")))?.[1],
      );
    const [before, evalsBefore, began] = [await calls(), await evals(), performance.now()];
    const paths = [`/poll/${channel}.b20`, `/channels-stats?id=${channel}`, `/poll/${channel}`];
    for (let turn = 0; turn < 100; turn++)
      await Promise.all(Array.from({ length: 100 }, (_, i) => world.node(i).request(paths[i % 3] ?? "/")));
    const beats = Math.ceil((performance.now() - began) / 2000 + 1) * world.nodes.length;
    // A reader that the machine kept waiting for seconds connects anew, which takes some.
    expect((await calls()) - before).toBeLessThan(50);
    expect((await evals()) - evalsBefore).toBeLessThanOrEqual(beats);
  }, 30_000);

  test("entries that were trimmed away while a node was absent are told as missed", async () => {
    const channel = fresh();
    const quiet = fresh();
    await post(0, channel, "first");
    await post(0, quiet, "first");
    // Who stood there before would be given it.
    await until("the first to be there", async () => {
      const { published_messages } = await world.node(1).statistics(quiet);
      return published_messages === 1;
    });
    const readers = await Promise.all(
      [channel, quiet].map((name) => new Reader(`${name}`, world.node(1)).start()),
    );
    await post(0, channel, "second");
    await post(0, quiet, "second");
    await until("the second", () => readers.every(({ texts }) => texts.includes("second")));
    for (const reader of readers) await reader.stop();
    const absent = world.node(1);
    expect(await absent.stop(true)).toBe(0);
    for (let count = 0; count < 300; count++) await post(0, channel, `m${count}`);
    await post(0, quiet, "missed");
    for (let count = 0; count < 300; count++) await post(0, fresh(), "filler");
    await world.engine.call("XTRIM", "{sluice:main:0}log", "MAXLEN", "100");
    world.nodes[1] = await world.startNode("node-1", "", { folder: absent.folder, port: absent.port });
    await until("it to have caught up", async () => {
      const here = await world.node(1).statistics(channel);
      return here.published_messages === 302;
    });
    for (const reader of readers) await reader.move(world.node(1));
    await until("the gaps", () => readers.every(({ gaps }) => gaps === 1));
    await post(0, channel, "last");
    await until("the last", () => readers[0]?.texts.at(-1) === "last");
    expect(readers[0]?.texts).toEqual(["second", "last"]);
    for (const reader of readers) await reader.stop();
  }, 30_000);
});

test.if(hasRedis)(
  "the password stands in a file or in the environment, and the user in the configuration",
  async () => {
    const engine = await new Engine(["--requirepass", "s3cret"]).start();
    await engine.call(
      "ACL",
      "SETUSER",
      "pusher",
      "on",
      ">other",
      "~{sluice:*",
      "+@all",
      "-@admin",
      "+client|kill",
    );
    process.env["SLUICE_TEST_SECRET"] = "other";
    const guarded = await World.start(1, engine, 'user = "pusher"\npassword = "env:SLUICE_TEST_SECRET"');
    expect((await guarded.publish("red")).outcome).toBe("taken");
    await guarded.stop();
  },
);
