/**
 * Engines that will not do: one clear sentence each and exit code 2 where it is known at the start, a refusal
 * and one log line afterwards.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unfit } from "../../src/cluster/server-info.ts";
import { binary, freePort, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { nodeToml, World } from "./world.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-bad-engine-"));
let engine: Engine;

function run(command: readonly string[], port: number, cluster = ""): { code: number; err: string } {
  const file = join(folder, "node.toml");
  writeFileSync(file, nodeToml(port, "node", cluster));
  const args = command.map((word) => (word === "FILE" ? file : word));
  const { exitCode, stderr } = Bun.spawnSync([binary, ...args], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
    timeout: 10_000,
  });
  return { code: exitCode, err: stderr.toString() };
}

const SERVE = ["serve", "--listen", "127.0.0.1:0", "--config", "FILE"];
const CHECK = ["check", "FILE", "--connect"];

describe.if(hasRedis)("an engine that will not do", () => {
  beforeAll(async () => {
    engine = await new Engine(["--requirepass", "s3cret"]).start();
  });
  afterAll(async () => {
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Both say it, and neither shows the password. */
  function expectRefused(port: number, cluster: string, sentence: RegExp): void {
    for (const command of [SERVE, CHECK]) {
      const { code, err } = run(command, port, cluster);
      expect([code, err]).toEqual([2, expect.stringMatching(sentence)]);
      expect(err).not.toContain("s3cret");
      expect(err).not.toContain("..");
      const lines = err.trim().split("\n");
      expect(lines.filter((line) => !line.includes(" warning: ")).length).toBe(1);
    }
  }

  test("no password, a wrong one, none in the environment", async () => {
    expectRefused(engine.port, "", /NOAUTH/);
    writeFileSync(join(folder, "password"), "wrong\n");
    expectRefused(engine.port, `password = "file:${folder}/password"`, /WRONGPASS/);
    expectRefused(
      engine.port,
      'password = "env:NOT_THERE_AT_ALL"',
      /the environment has no NOT_THERE_AT_ALL/,
    );
    expect(run(CHECK, engine.port, 'password = "s3cret"')).toMatchObject({
      code: 2,
      err: expect.stringContaining("a secret is named by its place"),
    });
  });

  test("a user who may not do all of it", async () => {
    await engine.call(
      "ACL",
      "SETUSER",
      "reader",
      "on",
      "nopass",
      "~*",
      "+@read",
      "+info",
      "+client|id",
      "+ping",
    );
    expectRefused(
      engine.port,
      'user = "reader"\npassword = "file:/dev/null"',
      /does not let this user do SCRIPT/,
    );
  });

  test("not Redis at all", async () => {
    const port = freePort();
    // In a process of its own: this one stands still while it waits for the command.
    const web = Bun.spawn([
      process.execPath,
      "-e",
      `Bun.serve({ port: ${port}, fetch: () => new Response("x") })`,
    ]);
    await until("it to listen", async () => {
      try {
        return (await fetch(`http://127.0.0.1:${port}`)).ok;
      } catch {
        return false;
      }
    });
    expectRefused(port, "", /cannot be used: it does not answer like Redis/);
    web.kill();
    await web.exited;
  });

  test("a replica, and an eviction policy that would drop the log", async () => {
    const primary = await new Engine().start();
    const replica = await new Engine().start();
    await replica.follow(primary);
    expectRefused(replica.port, "", /is a replica, which cannot be written to/);
    await primary.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    expectRefused(primary.port, "", /may drop the log: its maxmemory-policy is allkeys-lru/);
    await replica.stop();
    await primary.stop();
  });

  test("a name that is used with another number of shards", async () => {
    const other = await new Engine().start();
    await other.call("HSET", "{sluice:main:0}meta", "epoch", "5", "shards", "4");
    expectRefused(other.port, "", /the name main is used with 4 shards already; cluster.shards is 1/);
    await other.stop();
  });

  test("nobody there: the check says so; a node that was never in the cluster waits for it", async () => {
    const port = freePort();
    expect(run(CHECK, port)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/cannot be used: .*ECONNREFUSED/),
    });
    const file = join(folder, "waits.toml");
    writeFileSync(file, nodeToml(port, "waits"));
    const waiting = Bun.spawn([binary, "serve", "--listen", "127.0.0.1:0", "--config", file], {
      env: { ...process.env, RUNTIME_DIRECTORY: mkdtempSync(join(folder, "waits-")) },
      stderr: "pipe",
    });
    let log = "";
    const reading = (async () => {
      for await (const chunk of waiting.stderr) log += Buffer.from(chunk).toString();
    })();
    await until("it to say that it waits", () => log.includes("Waits for it"));
    await Bun.sleep(1200);
    expect(log.split("Waits for it").length).toBe(2);
    const late = new Engine([], port);
    await late.start();
    await until("it to serve", () => log.includes("serving"));
    waiting.kill("SIGTERM");
    expect(await waiting.exited).toBe(0);
    await reading;
    await late.stop();
  }, 30_000);

  test("too old, or something that only looks like it", () => {
    const fit = {
      runId: "r",
      version: "7.0.15",
      role: "master",
      evictionPolicy: "noeviction",
      connectionId: "1",
    };
    expect(unfit(fit)).toBeNull();
    expect(unfit({ ...fit, version: "6.2.7" })).toBe("is Redis 6.2.7; 7.0 or later is needed");
    expect(unfit({ ...fit, runId: "" })).toBe("does not answer like Redis");
    expect(unfit({ ...fit, evictionPolicy: "volatile-lru" })).toBeNull();
  });

  test("what goes wrong later is a refusal with a reason and one line, over when it is over", async () => {
    const world = await World.start(1);
    const node = world.node(0);
    const explain = async (): Promise<string | null> => {
      const { status, headers } = await node.publish("red", "x");
      return status === 200
        ? "taken"
        : `${status} ${headers.get("retry-after")} ${headers.get("x-nginx-pushstream-explain")}`;
    };
    expect(await explain()).toBe("taken");
    await world.engine.call("CONFIG", "SET", "maxmemory", "1");
    expect(await explain()).toBe("503 1 The cluster's engine takes no more.");
    await world.engine.call("CONFIG", "SET", "maxmemory", "0");
    await world.engine.call("HSET", "{sluice:main:0}meta", "shards", "2");
    for (let count = 0; count < 5; count++)
      expect(await explain()).toBe("503 1 The cluster's engine refused it.");
    expect(node.log.split("the engine refuses what this node writes").length).toBeLessThanOrEqual(4);
    await world.engine.call("HSET", "{sluice:main:0}meta", "shards", "1");
    expect(await explain()).toBe("taken");
    world.engine.signal("SIGSTOP");
    expect(await explain()).toBe("503 1 It is not known whether it was stored.");
    await until("refusals at once", async () => {
      const began = performance.now();
      return (
        (await explain()) === "503 1 The cluster's engine cannot be reached." &&
        performance.now() - began < 200
      );
    });
    expect((await node.request("/health/ready")).status).toBe(200);
    expect(await node.metric("sluice_cluster_connected")).toBe(0);
    world.engine.signal("SIGCONT");
    await until("publishing again", async () => (await explain()) === "taken");
    expect(node.log.split("the engine is away").length).toBe(2);
    const large = await node.publish("red", new Uint8Array(900_000));
    expect(large.status).toBe(200);
    await world.stop();
  }, 30_000);
});
