/**
 * `sluice verify` on the binary: it finds nothing where nothing is wrong, says what it did, and takes only
 * what it knows.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { noCounts } from "../../src/verify/counts.ts";
import { missingEngine } from "../../src/verify/own-engine.ts";
import { reportText, wasTried } from "../../src/verify/report-text.ts";
import { binary, until } from "../binary/running-server.ts";

setDefaultTimeout(120_000);

async function verify(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([binary, "verify", ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

test("a worker killed and a main process killed, on the wire listener: every promise holds", async () => {
  const { code, out } = await verify(
    "--minutes",
    "0.1",
    "--seed",
    "5",
    "--listener",
    "wire",
    "--json",
    "--fault",
    "worker-kill",
    "--fault",
    "main-kill",
  );
  const report = JSON.parse(out);
  expect(report.violations).toEqual([]);
  expect(code).toBe(0);
  expect(report.rows.map(({ name }: { name: string }) => name)).toEqual(["worker-kill", "main-kill"]);
  for (const { strikes, counts } of report.rows) {
    expect(strikes).toBeGreaterThan(0);
    expect(counts.accepted).toBeGreaterThan(50);
    expect(counts.deliveries).toBeGreaterThan(counts.accepted);
    expect(counts.moves).toBeGreaterThan(0);
  }
});

test.if(missingEngine() === null)(
  "a replica without the end of the log takes over under two nodes: who lost something is told",
  async () => {
    const { code, out, err } = await verify(
      ...["--cluster", "--minutes", "0.05", "--seed", "5", "--rate", "100", "--workers", "1", "--json"],
      ...["--fault", "engine-failover"],
    );
    expect(err).toBe("");
    const { violations, rows } = JSON.parse(out);
    expect(violations).toEqual([]);
    expect(code).toBe(0);
    expect(rows).toHaveLength(1);
    expect(rows[0].strikes).toBeGreaterThan(0);
    expect(rows[0].counts.gaps).toBeGreaterThan(0);
    expect(rows[0].counts.moves).toBeGreaterThan(0);
  },
);

test("a cluster is asked for where there is no engine to start: what is missing is said", async () => {
  const child = Bun.spawnSync([binary, "verify", "--cluster"], { env: { PATH: "/nowhere" } });
  expect(child.exitCode).toBe(2);
  expect(child.stderr.toString()).toContain("there is no redis-server, nor a valkey-server here");
});

test("what makes no sense is refused: unknown faults, faults on another's server, no workers", async () => {
  expect(await verify("--fault", "flood")).toMatchObject({
    code: 2,
    err: expect.stringContaining("worker-kill"),
  });
  expect(await verify("--fault", "engine-flush")).toMatchObject({
    code: 2,
    err: expect.stringContaining("without --cluster"),
  });
  for (const [args, said] of [
    [["--workers", "0"], "from 1 to 256"],
    [["--url", "nonsense"], "--url wants http://host:port"],
    [["--url", "http://127.0.0.1:1", "--header", "bad"], '"bad" is no field'],
    [["--other", "/dev/null"], "/dev/null is none that can be run"],
  ] as const)
    expect(await verify(...args)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(said) });
  const foreign = await verify("--url", "http://127.0.0.1:1", "--fault", "none");
  expect(foreign).toMatchObject({ code: 2, err: expect.stringContaining("leave out --url") });
});

test("nobody answers: said at once; a server that takes nothing is not said to hold anything", async () => {
  const nobody = await verify("--url", "http://127.0.0.1:1");
  expect(nobody).toEqual({ code: 1, out: "", err: "sluice: nobody answers at http://127.0.0.1:1.\n" });
  const row = {
    what: "",
    phases: 1,
    seconds: 1,
    counts: noCounts(),
    byClaim: new Map(),
    violations: 0,
    memory: 0,
    strikes: 0,
    name: "none",
  };
  const rows = [{ ...row, publishersWaited: 0, readersWaited: 0 }];
  const report = { seed: 1, seconds: 1, rows, skipped: [], violations: [] };
  expect(wasTried(report)).toBe(false);
  expect(reportText(report)).not.toContain("holds");
});

test("the report fits into 80 columns", () => {
  const counts = {
    ...noCounts(),
    accepted: 99_999,
    deliveries: 999_999,
    gaps: 9999,
    opens: 99_999,
    moves: 999,
  };
  const row = {
    what: "",
    phases: 1,
    seconds: 1,
    counts,
    byClaim: new Map(),
    violations: 0,
    memory: 9e7,
    strikes: 999,
  };
  const rows = [{ ...row, name: "no-descriptors", publishersWaited: 12_340, readersWaited: 12_340 }];
  const text = reportText({ seed: 2 ** 31, seconds: 999, rows, skipped: [], violations: [] });
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

/** A run whose server answers, and the name of that server's folder. */
async function underWay(): Promise<{ child: Bun.Subprocess<"ignore", "pipe", "pipe">; mine: string }> {
  const before = new Set(readdirSync("/dev/shm"));
  const command = [binary, "verify", "--fault", "none", "--minutes", "0.1"];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const ours = (): string[] =>
    readdirSync("/dev/shm").filter((name) => name.startsWith("sluice-verify-") && !before.has(name));
  await until("a store", () => ours().length > 0);
  const [mine = ""] = ours();
  await until("its workers", () => readdirSync(`/dev/shm/${mine}`).length > 3);
  return { child, mine };
}

test("its server cannot be started: that is said with its log, as no fault of this program", async () => {
  const { code, out, err } = await verify("--workers", "256", "--fault", "store-full");
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(/^sluice: the server did not start:\n {4}.*store/);
});

test("its server ends by itself: that is said within seconds, with the end of its log", async () => {
  const { child, mine } = await underWay();
  const log = Bun.file(`/dev/shm/${mine}/log`);
  await until("a line in its log", async () => (await log.text()).includes("\n"));
  const isMain = (pid: string): boolean => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return command.includes(`serve\0--config\0/dev/shm/${mine}/`) && !command.includes("worker");
    } catch {
      return false;
    }
  };
  process.kill(Number(readdirSync("/proc").find(isMain)), "SIGSEGV");
  const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  expect(code).toBe(1);
  expect(out).toMatch(/workers, none: the main process ended by itself\n( {4}.{1,302}\n){1,20}/);
  expect(out).not.toMatch(/^(gapless|resumable|kept), none/m);
});

test("ended by a signal, it leaves no process and no file behind", async () => {
  const { child, mine } = await underWay();
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  expect(existsSync(`/dev/shm/${mine}`)).toBe(false);
});
