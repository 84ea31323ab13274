// The rows of a cluster: `bun bench/cluster/run.ts [--seconds N] [--only NAME]`. A redis-server and up to
// three nodes on this machine; each figure beside one of the engine alone, or of one node, taken in the same
// run. Needs a build (bun run build) and Debian's redis-server.

import { parseArgs } from "node:util";
import { layout, type RunningServer, startServer, until } from "../../test/binary/running-server.ts";
import { Engine } from "../../test/cluster/engine.ts";
import { Sentinels } from "../../test/cluster/sentinels.ts";
import { cpuUs } from "../process-figures.ts";
import { median, percentile } from "../statistics.ts";
import { hammer, lastOf } from "./sockets.ts";
import { BYTES, bareTurn, CONNECTIONS, nodeTurn, ofNode, turnText, usedUs } from "./turns.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, only: { type: "string" } },
});
const SECONDS = Number(values.seconds);
const TURNS = 9;

const toml = (engine: string | null, node: string): string =>
  layout(
    `${engine === null ? "" : `[cluster]\nengine = "${engine}"\nnode = "${node}"\nlog_size = "1GiB"`}
[store]
size = "64MiB"
message_ttl = "10m"`,
    { ev: 'event_ids = "off"' },
  );

const node = (engine: Engine | null, name: string): Promise<RunningServer> =>
  startServer({ toml: toml(engine === null ? null : `redis://127.0.0.1:${engine.port}`, name), workers: 1 });

async function withWorld(
  nodes: number,
  work: (engine: Engine, nodes: readonly RunningServer[]) => Promise<void>,
): Promise<void> {
  const engine = await new Engine().start();
  const servers: RunningServer[] = [];
  try {
    for (let at = 0; at < nodes; at++) servers.push(await node(engine, `node-${at}`));
    await work(engine, servers);
  } finally {
    for (const server of servers) await server.stop();
    await engine.stop();
  }
}

const tell = (name: string, text: string): void => console.log(`${name.padEnd(10)} ${text}`);

/** CPU of the engine and of a node while something else is done. */
async function spentIn(
  engine: Engine,
  of: RunningServer | undefined,
  work: () => Promise<unknown>,
): Promise<readonly [engineUs: number, nodeUs: number]> {
  const spent = async (): Promise<readonly [number, number]> => [
    await usedUs(engine),
    of === undefined ? 0 : cpuUs(ofNode(of)),
  ];
  const [engineBefore, nodeBefore] = await spent();
  await work();
  const [engineAfter, nodeAfter] = await spent();
  return [engineAfter - engineBefore, nodeAfter - nodeBefore];
}

interface Way {
  readonly name: string;
  readonly to: RunningServer;
  readonly publish: (text: string) => Promise<unknown>;
}

/** In short turns, so that what else the machine does falls on all; the first is for the compilers. */
async function latencies(ways: readonly Way[], subscribers: number): Promise<void> {
  const waited = new Map(ways.map((way) => [way, [] as number[]]));
  for (let turn = 0; turn <= LATENCY_TURNS; turn++)
    for (const [{ to, publish }, all] of waited) {
      const some = await lastOf(to.port, publish, subscribers, Math.ceil((SECONDS * 50) / LATENCY_TURNS), 20);
      if (turn > 0) all.push(...some);
    }
  const figures = [...waited].map(([{ name }, all]) => {
    const [p50, p99] = [percentile(all, 0.5), percentile(all, 0.99)];
    tell(
      "latency",
      `${subscribers} subscribers, ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    );
    return { p50, p99 };
  });
  const [, one, other] = figures;
  if (one === undefined || other === undefined) return;
  const more = (p: "p50" | "p99"): string => (other[p] - one[p]).toFixed(2);
  tell(
    "latency",
    `more than on one machine with the same load: p50 ${more("p50")} ms (target: at most 1.5), ` +
      `p99 ${more("p99")} ms (at most 5)`,
  );
}

const LATENCY_TURNS = 5;
const WARM_UP = 2.5;

const ROWS: Readonly<Record<string, () => Promise<void>>> = {
  publish: () =>
    withWorld(1, async (engine, [first]) => {
      if (first === undefined) return;
      const seconds = Math.max(0.5, SECONDS / 4);
      const rates: number[] = [];
      const costs: number[] = [];
      // In short turns, so that what else the machine does falls on both; the first is for the compilers.
      for (let turn = 0; turn <= TURNS; turn++) {
        const bare = await bareTurn(engine, seconds);
        const node = await nodeTurn(engine, first, seconds);
        await engine.call("XTRIM", "{bare}log", "MAXLEN", "0");
        if (turn === 0) continue;
        rates.push(node.perSecond / bare.perSecond);
        costs.push((bare.engineUs + bare.clientUs) / (node.engineUs + node.clientUs));
        tell("publish", `bare script ${turnText(bare)}; through a node ${turnText(node)}`);
      }
      const [rate, cost] = [median(rates).toFixed(2), median(costs).toFixed(2)];
      tell(
        "publish",
        `${rate}x of the bare script by rate (target: at least 0.6x), ${cost}x by CPU of both sides`,
      );
    }),

  latency: async () => {
    const alone = await node(null, "alone");
    try {
      await withWorld(2, async (_engine, [first, second]) => {
        if (first === undefined || second === undefined) return;
        const both = (text: string): Promise<unknown> =>
          Promise.all([alone.publish("fan", text), first.publish("fan", text)]);
        const ways: readonly Way[] = [
          { name: "one machine", to: alone, publish: (text) => alone.publish("fan", text) },
          // What the engine and two nodes take of two cores is taken in every figure then.
          { name: "one machine, beside the cluster's work", to: alone, publish: both },
          { name: "the other node", to: second, publish: (text) => first.publish("fan", text) },
        ];
        for (const subscribers of [1, 1000]) await latencies(ways, subscribers);
      });
    } finally {
      await alone.stop();
    }
  },

  failover: async () => {
    const beyond: number[] = [];
    for (let round = 0; round < 3; round++) {
      const primary = await new Engine().start();
      const replica = await new Engine().start();
      await replica.follow(primary);
      const sentinels = new Sentinels(primary);
      const server = await startServer({ toml: toml(sentinels.address, "a"), workers: 1 });
      try {
        await sentinels.met();
        await server.publish("a", "x");
        const killedMs = performance.now();
        primary.signal("SIGKILL");
        let agreedMs = 0;
        const agreed = until(
          "another primary",
          async () => (await sentinels.primary()) === replica.port,
          20_000,
        );
        const noted = agreed.then(() => {
          agreedMs = performance.now() - killedMs;
        });
        // As publishers do who send again what was refused.
        const taken = until("a publish", async () => (await server.publish("a", "x")).status === 200, 30_000);
        await taken;
        const tookMs = performance.now() - killedMs;
        await noted;
        beyond.push(tookMs - agreedMs);
        tell(
          "failover",
          `Sentinel took ${agreedMs.toFixed(0)} ms, ` +
            `the first publish was taken after ${tookMs.toFixed(0)} ms`,
        );
      } finally {
        await server.stop();
        await sentinels.stop();
        await replica.stop();
        await primary.stop();
      }
    }
    tell("failover", `${median(beyond).toFixed(0)} ms beyond Sentinel's own time (target: at most 1,000)`);
  },

  replay: () =>
    withWorld(1, async (engine, [first]) => {
      if (first === undefined) return;
      const entries = 200_000;
      const { redis } = engine;
      if (redis === null) return;
      await first.publish("a", "x");
      const [[, fields] = ["", []]] = (await redis.call(
        "XREVRANGE",
        "{sluice:main:0}log",
        "+",
        "-",
        "COUNT",
        "1",
      )) as [string, string[]][];
      // Copies of one entry, with numbers that go on, written as the script would.
      const script = `local head = ARGV[1]
        local meta = redis.call('HMGET', KEYS[1], 'term', 'n', 'top', 'total')
        local n, top, total = tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4])
        local whole = function(number) return string.format('%.0f', number) end
        local base = whole(top)
        for i = 1, ${entries} do
          n = n + 1 top = top + 1 total = total + 1
          local entry = string.format(head, total, top, top, base, i) .. '\\n' .. 'replayed-' .. (i % 100)
          redis.call('XADD', KEYS[2], meta[1] .. '-' .. whole(n), entry, ARGV[2])
        end
        redis.call('HSET', KEYS[1], 'n', whole(n), 'top', whole(top), 'total', whole(total))`;
      const sec = fields[0]?.split(" ")[1] ?? "0";
      const head = `m ${sec} 5 %.0f %.0f %.0f %s %.0f s who 1`;
      await redis.call(
        "EVAL",
        script,
        "2",
        "{sluice:main:0}meta",
        "{sluice:main:0}log",
        head,
        "x".repeat(BYTES),
      );
      const empty = performance.now();
      const idle = await startServer({ toml: toml(null, "idle"), workers: 1 });
      const startMs = performance.now() - empty;
      const startUs = cpuUs(ofNode(idle));
      await idle.stop();
      const began = performance.now();
      const fresh = await node(engine, "fresh");
      const tookMs = performance.now() - began - startMs;
      await until("all of it", async () => (await fresh.metric("sluice_cluster_lag_entries")) === 0);
      tell(
        "replay",
        `${(((cpuUs(ofNode(fresh)) - startUs) * 1) / entries).toFixed(2)} us of CPU an entry: ` +
          `on a core of its own ${(entries / ((cpuUs(ofNode(fresh)) - startUs) / 1e6)).toFixed(0)}/s`,
      );
      tell(
        "replay",
        `${entries} entries in ${tookMs.toFixed(0)} ms beside the start: ` +
          `${((entries * 1000) / tookMs).toFixed(0)}/s (target: at least 200,000)`,
      );
      await fresh.stop();
    }),

  cost: async () => {
    const perMessage: number[] = [];
    for (const nodes of [1, 3]) {
      await withWorld(nodes, async (engine, servers) => {
        const [first, second] = servers;
        if (first === undefined) return;
        // The runtime compiles what is run often, and the store fills: that is not the price of a message.
        await hammer(first.port, CONNECTIONS, BYTES, SECONDS * WARM_UP);
        // A node that is only there has its timers and heartbeats, and so has the engine with it.
        const [engineIdle, nodeIdle] = await spentIn(engine, second, () => Bun.sleep(SECONDS * 1000));
        const before = await usedUs(engine);
        const idleBefore = second === undefined ? 0 : cpuUs(ofNode(second));
        const began = performance.now();
        const { perSecond } = await hammer(first.port, CONNECTIONS, BYTES, SECONDS);
        const count = (perSecond * (performance.now() - began)) / 1000;
        await Bun.sleep(300);
        const us = ((await usedUs(engine)) - before - engineIdle) / count;
        perMessage.push(us);
        tell(
          "cost",
          `engine with ${nodes} nodes at ${perSecond.toFixed(0)}/s: ${us.toFixed(1)} us of CPU a message`,
        );
        if (second === undefined) return;
        const idle = (cpuUs(ofNode(second)) - idleBefore - nodeIdle) / count;
        tell(
          "cost",
          `a node without subscribers: ${idle.toFixed(2)} us of CPU a message (target: at most 4), ` +
            `beside ${(nodeIdle / 10_000 / SECONDS).toFixed(1)} % of a core for being there`,
        );
      });
    }
    const [one = 0, three = 0] = perMessage;
    tell("cost", `engine, three nodes against one: ${(three / one).toFixed(2)}x (target: at most 1.4x)`);
  },
};

for (const [name, row] of Object.entries(ROWS))
  if (values.only === undefined || values.only === name) await row();
process.exit(0);
