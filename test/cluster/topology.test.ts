/**
 * The engine as people run it: behind Sentinels that fail it over, as a Redis Cluster whose slot is moved,
 * and with TLS.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shardOf } from "../../src/cluster/keys.ts";
import { freePort, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";
import { Sentinels } from "./sentinels.ts";

const engines: Engine[] = [];
const nodes: RunningServer[] = [];
const others: Sentinels[] = [];
const folder = mkdtempSync(join(tmpdir(), "sluice-topology-"));

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const engine of engines.splice(0)) await engine.stop();
  for (const other of others.splice(0)) await other.stop();
});

async function engine(...options: string[]): Promise<Engine> {
  const made = await new Engine(options).start();
  engines.push(made);
  return made;
}

async function node(name: string, cluster: string): Promise<RunningServer> {
  const toml = layout(
    `[cluster]\nnode = "${name}"\nengine_timeout = "1s"\n${cluster}\n[store]\nsize = "4MiB"`,
    {
      ev: 'event_ids = "auto"',
    },
  );
  const made = await startServer({ toml, workers: 1 });
  nodes.push(made);
  return made;
}

const taken = async (at: RunningServer, text: string): Promise<boolean> => {
  const { status } = await at.publish("room", text);
  return status === 200;
};

describe.if(hasRedis)("engines", () => {
  test("three Sentinels fail over: publishing goes on a second later, what was lost is told", async () => {
    const primary = await engine();
    const replica = await engine();
    await replica.follow(primary);
    const sentinels = new Sentinels(primary);
    others.push(sentinels);
    const a = await node("a", `engine = "${sentinels.address}"`);
    const b = await node("b", `engine = "${sentinels.address}"`);
    const reader = await new Reader("room", b).start();
    for (let count = 0; count < 5; count++) expect(await taken(a, `m${count}`)).toBe(true);
    await until("the messages", () => reader.texts.length === 5);
    await sentinels.met();
    primary.signal("SIGKILL");
    await until("another primary", async () => (await sentinels.primary()) === replica.port, 20_000);
    const agreedMs = performance.now();
    let tries = 0;
    await until("a message to be taken", async () => await taken(b, `after-${++tries}`), 20_000);
    expect(performance.now() - agreedMs).toBeLessThan(3000);
    await until("it to arrive", () => reader.texts.at(-1)?.startsWith("after") === true);
    expect(reader.texts.slice(0, 5)).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    expect(reader.texts.length).toBe(6);
    await reader.stop();
  }, 60_000);

  test("three shards on a Redis Cluster of three, and the slot of one moves to another", async () => {
    const servers: Engine[] = [];
    for (let count = 0; count < 3; count++)
      servers.push(await engine("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"));
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    const create = Bun.spawn(["redis-cli", "--cluster", "create", ...addresses, "--cluster-yes"], {
      stdout: "ignore",
      stderr: "ignore",
    });
    expect(await create.exited).toBe(0);
    for (const server of servers)
      await until("the cluster to be formed", async () =>
        String(await server.call("CLUSTER", "INFO")).includes("cluster_state:ok"),
      );
    const cluster = `engine = "redis+cluster://${addresses.join(",")}"\nshards = 3`;
    const a = await node("a", cluster);
    const b = await node("b", cluster);
    // One in each shard, and all of them together.
    const rooms = [0, 1, 2].map((shard) => channelIn(shard, 3));
    const all = rooms.join("/");
    const readers = [...rooms, all].map((channel) => new Reader(channel, b));
    for (const reader of readers) await reader.start();
    const post = async (at: RunningServer, channels: string, text: string): Promise<boolean> =>
      (await at.publish(channels, text)).status === 200;
    for (let count = 0; count < 5; count++)
      for (const channels of [...rooms, all]) expect(await post(a, channels, `m${count}`)).toBe(true);
    await until("the messages", () => readers.at(-1)?.texts.length === 30);
    for (const reader of readers.slice(0, 3)) await until("its messages", () => reader.texts.length === 10);
    await moveSlot(servers, "{sluice:main:1}meta");
    await until("a message to be taken", async () => await post(b, rooms[1] ?? "", "after"));
    for (const reader of [readers[1], readers[3]])
      await until("it to arrive", () => reader?.texts.at(-1) === "after");
    // Another server, with all there was: nobody is told anything.
    expect(readers.map(({ texts, gaps }) => [texts.length, gaps])).toEqual([
      [10, 0],
      [11, 0],
      [10, 0],
      [31, 0],
    ]);
    for (const reader of readers) await reader.move(a);
    expect(await post(b, all, "to all")).toBe(true);
    await until("it to arrive on the other", () => readers.every(({ texts }) => texts.includes("to all")));
    expect(readers.every(({ gaps }) => gaps === 0)).toBe(true);
    const total = async (at: RunningServer): Promise<unknown> =>
      JSON.parse((await at.request("/channels-stats")).text).published_messages;
    for (const at of [a, b]) expect(await total(at)).toBe(34);
    const gone = await b.request(`/pub?id=${all}`, { method: "DELETE" });
    expect(gone.status).toBe(200);
    for (const room of rooms)
      await until("it to be gone on the other", async () => (await a.statistics(room)).stored_messages === 0);
    for (const reader of readers) await reader.stop();
  }, 60_000);

  test("TLS to an engine with a certificate of an own authority; without that it is refused", async () => {
    makeCertificate();
    const [ca, key] = [join(folder, "engine.pem"), join(folder, "engine.key")];
    const tlsPort = freePort();
    await engine(
      ...["--tls-port", String(tlsPort), "--tls-cert-file", ca, "--tls-key-file", key],
      ...["--tls-ca-cert-file", ca, "--tls-auth-clients", "no"],
    );
    const address = `engine = "rediss://127.0.0.1:${tlsPort}"`;
    const a = await node("a", `${address}\ntls_ca = "${ca}"`);
    expect(await taken(a, "m")).toBe(true);
    await expect(node("b", address)).rejects.toThrow(
      /sluice ended with 2:[\s\S]*cannot be used: .*certificate/i,
    );
  }, 30_000);
});

/** A name of that shard. */
function channelIn(shard: number, shards: number): string {
  for (let at = 0; ; at++) {
    const name = `room-${at}`;
    if (shardOf(Buffer.from(name), shards) === shard) return name;
  }
}

/** As `redis-cli --cluster reshard` does it, for the slot of one key. */
async function moveSlot(servers: readonly Engine[], key: string): Promise<void> {
  const [first] = servers;
  const slot = String(await first?.call("CLUSTER", "KEYSLOT", key));
  const ids = await Promise.all(servers.map((server) => server.call("CLUSTER", "MYID").then(String)));
  const counts = await Promise.all(
    servers.map((server) => server.call("CLUSTER", "COUNTKEYSINSLOT", slot).then(Number)),
  );
  const from = counts.findIndex((count) => count > 0);
  const to = (from + 1) % servers.length;
  const [source, target] = [servers[from], servers[to]];
  if (source === undefined || target === undefined) throw new Error("nobody has the slot");
  await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from] ?? "");
  await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to] ?? "");
  for (;;) {
    const keys = (await source.call("CLUSTER", "GETKEYSINSLOT", slot, "100")) as string[];
    if (keys.length === 0) break;
    await source.call("MIGRATE", "127.0.0.1", String(target.port), "", "0", "5000", "KEYS", ...keys);
  }
  for (const server of [target, source, ...servers])
    await server.call("CLUSTER", "SETSLOT", slot, "NODE", ids[to] ?? "");
}

function makeCertificate(): void {
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"],
    ...["-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", join(folder, "engine.key"), "-out", join(folder, "engine.pem")],
  ]);
  if (!made.success) throw new Error(made.stderr.toString());
}

process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
