/**
 * `user`: workers of a server that root has started are somebody else, all their threads, also those that are
 * started later; and what root made is theirs as far as they need it. Watched in /proc of the compiled
 * binary's processes; needs root.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { spawnNginx } from "../nginx/nginx-server.ts";

setDefaultTimeout(30_000);

const isRoot = process.getuid?.() === 0;
const NOBODY = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8")) ?? [];
const [uid, gid] = [Number(NOBODY[1]), Number(NOBODY[2])];

/** One that an ordinary user cannot bind. */
const lowPort = (): number => {
  const taken = readFileSync("/proc/net/tcp", "latin1");
  for (let port = 1000; port > 600; port--)
    if (!taken.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `)) return port;
  throw new Error("no low port is free");
};

/** "uid gid" of each thread. */
function identities(pid: number): ReadonlySet<string> {
  return new Set(
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1");
      const ids = (name: string): string =>
        [...new Set(new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1]?.trim().split(/\s+/))].join(",");
      return `${ids("Uid")} ${ids("Gid")} ${ids("Groups")}`;
    }),
  );
}

describe.skipIf(!isRoot)("user, as root", () => {
  let server: RunningServer;
  const workers = (): Promise<number[]> => {
    const { pid } = server.process;
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    return Promise.resolve(text === "" ? [] : text.split(" ").map(Number));
  };
  const all = `${uid} ${gid} ${gid}`;
  const areNobody = async (): Promise<void> => {
    const pids = await workers();
    expect(pids.length).toBe(2);
    for (const pid of pids) expect([...identities(pid)]).toEqual([all]);
  };

  beforeAll(async () => {
    server = await startServer({
      port: lowPort(),
      workers: 2,
      toml: `user = "nobody"
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
access_log = "/tmp/sluice-user-${process.pid}.log"
[[location]]
match = "~ ^/sub/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
[[location]]
match = "/channels-stats"
statistics = true
channels_path = "$arg_id"`,
    });
  });
  const logFile = `/tmp/sluice-user-${process.pid}.log`;
  afterAll(async () => {
    await server?.stop();
    for (const path of [logFile, `${logFile}.old`]) rmSync(path, { force: true });
  });

  test("workers are that user with all their threads, and main stays root", async () => {
    await areNobody();
    expect([...identities(server.process.pid)][0]).toStartWith("0 0");
  });

  test("a worker that takes the place of another binds the low port, and is that user as well", async () => {
    const before = await workers();
    process.kill(before[0] ?? 0, "SIGKILL");
    await until("another stands there", async () => {
      const now = await workers();
      return now.length === 2 && !now.includes(before[0] ?? 0) && server.log.includes("worker replaced");
    });
    await areNobody();
    await until("both serve", async () => (await server.workerPids().catch(() => [])).length === 2);
  });

  test("workers hear each other: their bells are theirs", async () => {
    const bells = readdirSync(server.folder).filter((name) => name.includes(".bell-"));
    expect(bells.length).toBeGreaterThan(1);
    for (const bell of bells) expect(statSync(join(server.folder, bell)).uid).toBe(uid);
  });

  test("a reload keeps them that user, and a log that was moved away is opened again", async () => {
    const before = await workers();
    server.process.kill("SIGHUP");
    await until("the others are gone", async () => {
      const now = await workers();
      return now.length === 2 && now.every((pid) => !before.includes(pid));
    });
    await areNobody();
    renameSync(logFile, `${logFile}.old`);
    server.process.kill("SIGUSR1");
    await until("there is a new one", () => existsSync(logFile));
    // Each worker opens it by itself: until then its lines are in the old one.
    await until("it has a line", async () => {
      await server.request("/pub?id=b", { method: "POST", body: "x" });
      return readFileSync(logFile, "latin1").includes("/pub?id=b");
    });
    expect(statSync(logFile).uid).toBe(uid);
  });
});

describe.skipIf(!isRoot)("user, where it cannot be", () => {
  test("one that nobody knows is told, and nothing is served", async () => {
    const child = spawnNginx(
      (port, folder) => `user nobody_at_all; pid ${folder}/p; events { }
      http { server { listen 127.0.0.1:${port}; return 204; } }`,
    );
    await child.process.exited;
    expect(child.log).toContain("user: there is no user nobody_at_all");
    rmSync(child.folder, { recursive: true, force: true });
  });

  test("a log that is a link is not given away", async () => {
    const port = freePort();
    const target = `/tmp/sluice-user-target-${process.pid}`;
    writeFileSync(target, "");
    const link = `${target}.link`;
    rmSync(link, { force: true });
    const { symlinkSync } = await import("node:fs");
    symlinkSync(target, link);
    const server = await startServer({
      port,
      workers: 1,
      toml: `user = "nobody"\n[[location]]\nmatch = "/"\nempty = true\naccess_log = "${link}"`,
    });
    expect(statSync(target).uid).toBe(0);
    await server.stop();
    for (const path of [target, link]) rmSync(path, { force: true });
  });
});
