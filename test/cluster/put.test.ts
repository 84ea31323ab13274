/** Many messages at once, and idempotency keys, over nodes: what the order answers, and what the log has. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Put } from "../../src/cluster/order.ts";
import { KEY_REUSED, type KeyMark } from "../../src/store/message/keys.ts";
import { until } from "../binary/running-server.ts";
import { Engine, hasRedis, Wire } from "./engine.ts";
import { readHistory } from "./history.ts";
import { clusterConfig, LocalNode } from "./local-node.ts";

let engine: Engine;
let wire: Wire;
let nodes: readonly [LocalNode, LocalNode];

const mark = (key: string, sent: string): KeyMark => {
  const digest = new Uint32Array(Bun.SHA256.hash(key).slice(0, 16).buffer);
  const hash = Bun.hash.wyhash(sent);
  return { digest, bodyLow: Number(hash & 0xffff_ffffn), bodyHigh: Number(hash >> 32n) };
};

const message = (channel: string, text: string, key: string | null = null): Put => ({
  name: Buffer.from(channel),
  data: Buffer.from(text),
  eventId: null,
  eventType: null,
  stored: true,
  key: key === null ? null : mark(`${channel}/${key}`, text),
  outcome: 0,
  position: 0,
  isDuplicate: false,
  refusal: null,
});

/** What became of them, and their positions as steps above the first. */
const said = (puts: readonly Put[]) =>
  puts.map(({ outcome, position, isDuplicate, refusal }) =>
    refusal !== null
      ? refusal.code
      : outcome === KEY_REUSED
        ? "reused"
        : isDuplicate
          ? `as ${position}`
          : position,
  );

describe.if(hasRedis)("messages put in together", () => {
  beforeAll(async () => {
    engine = await new Engine().start();
    wire = new Wire(engine.port);
    nodes = [
      await LocalNode.start(clusterConfig(wire.port, "a")),
      await LocalNode.start(clusterConfig(wire.port, "b")),
    ];
  });
  afterAll(async () => {
    for (const node of nodes) node.stop();
    wire.stop();
    await engine.stop();
  });

  const calls = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await engine.call("INFO", "commandstats")))?.[1] ?? 0);

  test("two hundred of them are four calls of the engine, in their order", async () => {
    const puts = Array.from({ length: 200 }, (_, at) => message(`many-${at % 3}`, `m${at}`));
    const before = await calls();
    await nodes[0].node.order.put(puts);
    // The heartbeats of two nodes may fall in between.
    expect((await calls()) - before).toBeLessThanOrEqual(6);
    if (engine.redis === null) throw new Error("the engine does not run");
    const history = await readHistory(engine.redis);
    for (const channel of [0, 1, 2]) {
      const own = puts.filter((_, at) => at % 3 === channel);
      expect(history.get(`many-${channel}`)).toEqual(own.map(({ data }) => data.toString()));
      expect(own.map(({ position }) => position)).toEqual(own.map((_, at) => (own[0]?.position ?? 0) + at));
    }
  });

  test("a known key is answered with the first position on every node, another body refused", async () => {
    const [a, b] = nodes;
    const first = message("keyed", "one", "k1");
    await a.node.order.put([first]);
    const again = [
      message("keyed", "one", "k1"),
      message("keyed", "another", "k1"),
      message("elsewhere", "one", "k1"),
      message("keyed", "two", "k2"),
      message("keyed", "two", "k2"),
      message("keyed", "three"),
    ];
    await b.node.order.put(again);
    const { position } = first;
    expect(said(again)).toEqual([
      `as ${position}`,
      "reused",
      again[2]?.position ?? 0,
      position + 1,
      `as ${position + 1}`,
      position + 2,
    ]);
    const key = Buffer.concat([
      Buffer.from("{sluice:main:0}k:"),
      Buffer.from(mark("keyed/k1", "").digest.buffer),
    ]);
    expect(Number(await engine.redis?.ttl(key))).toBeGreaterThan(290);
  });

  test("connections cut in the middle of an answer: each message once, answered with its place", async () => {
    const [a] = nodes;
    await a.node.order.put([message("cut", "before", "k0")]);
    for (let bytes = 1; bytes < 400; bytes += 40) {
      const puts = [
        message("cut", `new-${bytes}`),
        message("cut", "before", "k0"),
        message("cut", `keyed-${bytes}`, `k${bytes}`),
        message("cut", "other", "k0"),
        message("cut", `last-${bytes}`),
      ];
      wire.cutAfter = bytes;
      wire.cut();
      await a.node.order.put(puts);
      wire.cutAfter = 0;
      const [one, two, three, four, five] = puts;
      expect([two?.isDuplicate, four?.outcome]).toEqual([true, KEY_REUSED]);
      expect([three?.position, five?.position]).toEqual([(one?.position ?? 0) + 1, (one?.position ?? 0) + 2]);
    }
    if (engine.redis === null) throw new Error("the engine does not run");
    const texts = (await readHistory(engine.redis)).get("cut") ?? [];
    expect(texts.length).toBe(1 + 10 * 3);
    expect(new Set(texts).size).toBe(texts.length);
    for (const node of nodes)
      await until(
        "all of it",
        () => node.store.positions.publishedTotal(node.store.find(Buffer.from("cut"))) === texts.length,
      );
  });

  test("ack = replica: answered when one has it; without one nobody knows, and that is said", async () => {
    const replica = await new Engine().start();
    await replica.follow(engine);
    const node = await LocalNode.start(clusterConfig(wire.port, "c", { ack: "replica" }));
    // A machine that is busy with other things may take more than the time that a replica has.
    let round = 0;
    await until("a hundred of them to be acknowledged", async () => {
      round++;
      const puts = Array.from({ length: 100 }, (_, at) => message(`acked-${at % 7}`, `m${round}-${at}`));
      await node.node.order.put(puts);
      return puts.every(({ refusal }) => refusal === null);
    });
    replica.signal("SIGSTOP");
    const alone = message("acked-0", "alone", "k");
    await node.node.order.put([alone]);
    expect(alone.refusal?.code).toBe("not_replicated");
    // It is there all the same, as its key says.
    replica.signal("SIGCONT");
    await until("it to be acknowledged", async () => {
      const again = message("acked-0", "alone", "k");
      await node.node.order.put([again]);
      return again.refusal === null && again.isDuplicate;
    });
    expect(await replica.call("EXISTS", "{sluice:main:0}c:acked-0")).toBe(1);
    node.stop();
    await replica.stop();
  });
});
