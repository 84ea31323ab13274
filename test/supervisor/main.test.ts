/**
 * Main against real worker processes around a toy server (fixture-main.ts): deaths, stops, reloads, refusals.
 */

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../src/config/model.ts";
import { freePort } from "../binary/running-server.ts";
import { eventually, isRunning, MainProcess } from "./main-process.ts";
import { testConfig } from "./test-config.ts";

/** Processes start and stop here, and the machine may be busy. */
setDefaultTimeout(15_000);

let mains: MainProcess[] = [];

afterEach(async () => {
  await Promise.all(mains.map((main) => main.end()));
  mains = [];
});

/** Each test has a port of its own, so that a failing one does not spoil the next. */
function start(
  changes: Partial<Config> = {},
  env: Record<string, string> = {},
  storePath?: string,
): MainProcess {
  const main = new MainProcess({ listen: [`127.0.0.1:${freePort()}`], ...changes }, env, storePath);
  mains.push(main);
  return main;
}

describe("deaths", () => {
  test("a worker killed with -9 is replaced within a second; stored messages are intact", async () => {
    const main = start();
    const before = await main.workers(2);
    await main.ask("/publish");
    await main.ask("/publish");
    const victim = before[0]?.pid ?? 0;
    const killedAt = performance.now();
    process.kill(victim, "SIGKILL");
    await main.workers(
      1,
      before.map((who) => who.pid),
    );
    expect(performance.now() - killedAt).toBeLessThan(1000);
    expect(await (await main.ask("/stored")).text()).toBe("2");
    expect(main.output).toContain("killed by SIGKILL");
    expect(await (await main.ask("/publish")).text()).toBe("3");
  });

  test("all workers killed at once come back", async () => {
    const main = start();
    const before = await main.workers(2);
    const pids = before.map((who) => who.pid);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const after = await main.workers(2, pids);
    expect(new Set(after.map((who) => who.slot)).size).toBe(2);
  });

  test("an uncaught error ends the worker with its sentence; no descriptors left does not", async () => {
    const main = start({ workers: 1 });
    const [before] = await main.workers(1);
    await main.ask("/emfile");
    await main.logged(/no file descriptors left/);
    expect((await main.who()).pid).toBe(before?.pid ?? 0);
    await main.ask("/throw");
    await main.logged(/worker died: raised EWHATEVER/);
    // One line that says where, and no stack.
    await main.logged(/ uncaught error: raised EWHATEVER \(at \S+fixture-main\.ts:\d+:\d+\)\n/);
    expect((await main.workers(1, [before?.pid ?? 0])).length).toBe(1);
  });

  test("a log that nobody reads any more stops neither main nor workers", async () => {
    const main = start({ workers: 1 });
    const [before] = await main.workers(1);
    await main.closeLog();
    await main.ask("/emfile");
    await Bun.sleep(100);
    expect((await main.who()).pid).toBe(before?.pid ?? 0);
    await main.ask("/throw");
    expect(await main.workers(1, [before?.pid ?? 0])).toHaveLength(1);
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
  });

  test("workers leave when main is killed, and the next main finds the messages", async () => {
    const main = start();
    const workers = await main.workers(2);
    await main.ask("/publish");
    main.process.kill("SIGKILL");
    await eventually("workers to leave", () => (workers.some((who) => isRunning(who.pid)) ? null : true));
    const next = start({ listen: main.config.listen }, {}, main.storePath);
    await next.logged(/serving .*messages=1/);
    expect(await (await next.ask("/stored")).text()).toBe("1");
  });
});

describe("starts that fail", () => {
  test("workers that die before they are ready: main gives up with a sentence, exit 1", async () => {
    const main = start({}, { FIXTURE_WORKER: "crash" });
    expect(await main.exitCode()).toBe(1);
    expect(main.output).toContain(
      "sluice: workers: 10 died one after the other and none became ready; the last: killed by SIGKILL",
    );
  });

  test("a worker that says why it cannot start ends main at once", async () => {
    const main = start({}, { FIXTURE_WORKER: "fail" });
    expect(await main.exitCode()).toBe(1);
    expect(main.output).toContain("sluice: the toy does not want to start\n");
  });

  test("a port in use", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const address = `127.0.0.1:${other.port}`;
    const main = start({ listen: [address] });
    expect(await main.exitCode()).toBe(1);
    expect(main.output).toContain(`sluice: listen: ${address} is in use\n`);
    other.stop(true);
  });

  test("a second main on the same store, while the first goes on", async () => {
    const first = start();
    await first.workers(2);
    const second = start({}, {}, first.storePath);
    expect(await second.exitCode()).toBe(1);
    expect(second.output).toContain(`another sluice (pid ${first.process.pid}) is using ${first.storePath}`);
    expect((await first.who()).pid).toBeGreaterThan(0);
  });

  test("a signal during the start still stops in order", async () => {
    const main = start();
    await eventually("the lock", () => existsSync(`${main.storePath}.lock`) || null);
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
  });
});

describe("stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s drains what is held and exits 0", async (signal) => {
    const main = start();
    const workers = await main.workers(2);
    const held = await main.ask("/hold");
    const body = held.text();
    main.process.kill(signal);
    expect(await body).toBe("hello\nbye\n");
    expect(await main.exitCode()).toBe(0);
    expect(workers.some((who) => isRunning(who.pid))).toBe(false);
  });

  test("workers that do not finish are killed at the limit", async () => {
    const main = start({ shutdownTimeoutMs: 600 }, { FIXTURE_WORKER: "deaf" });
    await main.workers(2);
    const askedAt = performance.now();
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
    const tookMs = performance.now() - askedAt;
    expect(tookMs).toBeGreaterThan(500);
    expect(tookMs).toBeLessThan(2000);
    expect(main.output).toContain("did not finish in time");
  });

  test("a second signal does not wait", async () => {
    const main = start({ shutdownTimeoutMs: 60_000 }, { FIXTURE_WORKER: "deaf" });
    await main.workers(2);
    main.process.kill("SIGTERM");
    await main.logged(/stopping/);
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
  });

  test("the next start finds a clean store", async () => {
    const main = start();
    await main.workers(2);
    await main.ask("/publish");
    main.process.kill("SIGTERM");
    await main.exitCode();
    const next = start({}, {}, main.storePath);
    await next.logged(/store=reopened messages=1/);
  });
});

describe("SIGQUIT", () => {
  const refused = (main: MainProcess) => () =>
    main.who().then(
      () => null,
      () => true,
    );

  test("nothing new is taken, what is held stays, and main goes with the last client", async () => {
    const main = start({ shutdownTimeoutMs: 100 });
    const workers = await main.workers(2);
    const leaving = new AbortController();
    const held = await fetch(`${main.url}/hold`, { signal: leaving.signal });
    main.process.kill("SIGQUIT");
    await eventually("new connections to be refused", refused(main));
    await eventually("the idle worker to leave", () =>
      workers.filter((who) => isRunning(who.pid)).length === 1 ? true : null,
    );
    await Bun.sleep(700); // longer than the limit of a drain, and than a kill after it
    expect(main.process.exitCode).toBeNull();
    leaving.abort();
    await held.text().catch(() => "aborted");
    expect(await main.exitCode()).toBe(0);
    expect(main.output).not.toContain("killing it");
  });

  test.each(["SIGTERM", "SIGINT"] as const)("%s while it lasts ends it in order", async (signal) => {
    const main = start();
    await main.workers(2);
    const body = (await main.ask("/hold")).text();
    main.process.kill("SIGQUIT");
    await eventually("new connections to be refused", refused(main));
    main.process.kill(signal);
    expect(await body).toBe("hello\nbye\n");
    expect(await main.exitCode()).toBe(0);
    expect(main.output).not.toContain("killing it");
  });

  test("a worker killed while it lasts is not replaced", async () => {
    const main = start({ workers: 1 });
    const [worker] = await main.workers(1);
    const body = (await main.ask("/hold")).text().catch(() => "cut off");
    main.process.kill("SIGQUIT");
    await eventually("new connections to be refused", refused(main));
    process.kill(worker?.pid ?? 0, "SIGKILL");
    expect(await main.exitCode()).toBe(0);
    expect(await body).toBe("cut off");
  });

  test("during the start and during a reload it stops in order", async () => {
    const starting = start();
    await eventually("the lock", () => existsSync(`${starting.storePath}.lock`) || null);
    starting.process.kill("SIGQUIT");
    expect(await starting.exitCode()).toBe(0);
    const reloading = start();
    await reloading.workers(2);
    reloading.process.kill("SIGHUP");
    await Bun.sleep(5);
    reloading.process.kill("SIGQUIT");
    expect(await reloading.exitCode()).toBe(0);
  });
});

describe("reload", () => {
  const text = (pingText: string): Partial<Config> => ({
    messages: { ...testConfig("").messages, pingText },
  });

  test("a good configuration: new workers serve it, the old ones are drained, messages stay", async () => {
    const main = start();
    const before = await main.workers(2);
    await main.ask("/publish");
    const held = (await main.ask("/hold")).text();
    main.reload({ ...text("second"), workers: 3 });
    await main.logged(/reloaded generation=2 workers=3/);
    expect(await held).toBe("hello\nbye\n");
    const after = await main.workers(
      3,
      before.map((who) => who.pid),
    );
    expect(after.every((who) => who.text === "second")).toBe(true);
    await eventually("the old workers to leave", () => before.every((who) => !isRunning(who.pid)) || null);
    expect(await (await main.ask("/stored")).text()).toBe("1");
  });

  test("a bad one is refused with all its faults and the old workers stay", async () => {
    const main = start();
    const before = await main.workers(2);
    main.write("{ not json");
    main.process.kill("SIGHUP");
    await main.logged(/reload refused; the old configuration stays in force/);
    expect(main.output).toContain("config.json: ");
    expect(main.output).toContain("a second fault");
    expect(before.map((who) => who.pid)).toContain((await main.who()).pid);
  });

  test("a new address in use is refused; a free one is added and the old one goes", async () => {
    const main = start();
    await main.workers(2);
    const [first = ""] = main.config.listen;
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    main.reload({ listen: [first, `127.0.0.1:${taken.port}`] });
    await main.logged(/listen: 127\.0\.0\.1:\d+ is in use/);
    taken.stop(true);
    main.reload({ listen: [`127.0.0.1:${freePort()}`] });
    await main.workers(2);
    const gone = () =>
      fetch(`http://${first}/who`).then(
        () => null,
        () => true,
      );
    await eventually("the old address to close", gone);
  });

  test("a change of the store is ignored with a warning", async () => {
    const main = start();
    await main.workers(2);
    main.reload({ store: { ...main.config.store, size: 2 ** 21 } });
    await main.logged(/Cannot change memory area size without restart, ignoring change on zone: test_zone/);
    await main.logged(/reloaded generation=2/);
  });

  test("many signals at once make one more reload, not many", async () => {
    const main = start({ workers: 1 });
    await main.workers(1);
    for (let count = 0; count < 20; count++) main.process.kill("SIGHUP");
    await main.logged(/reloaded generation=2/);
    await Bun.sleep(500);
    expect((main.output.match(/reloaded/g) ?? []).length).toBeLessThanOrEqual(2);
  });

  test("HUP before the start is over neither kills nor is forgotten", async () => {
    const main = start({ workers: 1 });
    await eventually("the lock", () => existsSync(`${main.storePath}.lock`) || null);
    main.process.kill("SIGHUP");
    await main.logged(/reloaded generation=2/);
  });

  test("TERM during a reload stops both generations", async () => {
    const main = start();
    await main.workers(2);
    main.process.kill("SIGHUP");
    await Bun.sleep(5);
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
  });

  test("the slots and descriptors of ten generations are given back", async () => {
    const main = start({ workers: 4 });
    await main.workers(4);
    const open = () =>
      Array.from(new Bun.Glob("*").scanSync({ cwd: `/proc/${main.process.pid}/fd`, onlyFiles: false }))
        .length;
    let first = 0;
    for (let generation = 2; generation <= 11; generation++) {
      main.process.kill("SIGHUP");
      await main.logged(new RegExp(`reloaded generation=${generation} `));
      if (generation === 3) first = open();
    }
    const slots = (await main.workers(4)).map((who) => who.slot);
    expect(Math.max(...slots)).toBeLessThan(8);
    await eventually("descriptors to be closed", () => open() <= first + 4 || null);
  });
});

test("a unix socket is one worker's, survives its death and a reload, and goes at the stop", async () => {
  const path = join("/tmp", `sluice-main-${process.pid}.sock`);
  const main = start({ listen: [`127.0.0.1:${freePort()}`, `unix:${path}`] });
  const ask = async () =>
    ((await (await fetch("http://sluice/who", { unix: path, keepalive: false })).json()) as { pid: number })
      .pid;
  await main.logged(/main: serving /);
  const first = await ask();
  process.kill(first, "SIGKILL");
  const second = await eventually("a new owner", () => ask().catch(() => null));
  expect(second).not.toBe(first);
  main.process.kill("SIGHUP");
  await main.logged(/reloaded/);
  expect(await ask()).not.toBe(second);
  main.process.kill("SIGTERM");
  await main.exitCode();
  expect(existsSync(path)).toBe(false);
});
