/**
 * What main tells systemd over its life, with real workers around a toy server: states in order, signs of
 * life, status.
 */

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Config } from "../../src/config/model.ts";
import { freePort } from "../binary/running-server.ts";
import { eventually, isRunning, MainProcess } from "./main-process.ts";
import { NotifyReceiver } from "./notify-receiver.ts";

setDefaultTimeout(20_000);

let main: MainProcess;
let receiver: NotifyReceiver;
let port: number;

afterEach(async () => {
  await main.end();
  receiver.close();
});

function start(changes: Partial<Config> = {}, env: Record<string, string> = {}, watchdogMs = 0): void {
  port = freePort();
  receiver = new NotifyReceiver(`@sluice-main-test-${process.pid}-${port}`);
  main = new MainProcess(
    { listen: [`127.0.0.1:${port}`], ...changes },
    { ...receiver.environment(watchdogMs), ...env },
  );
}

describe("a life", () => {
  test("READY comes when all workers answer, with main's pid; then RELOADING, READY, STOPPING", async () => {
    start();
    const ready = await receiver.heard("READY=1");
    expect(ready.split("\n")).toEqual([
      "READY=1",
      `MAINPID=${main.process.pid}`,
      `STATUS=Serving 127.0.0.1:${port} with 2 workers`,
    ]);
    // Nobody has to wait for the second worker.
    await main.workers(2);
    expect(main.output.match(/worker ready/g)?.length).toBe(2);
    main.reload({ workers: 1 });
    expect(await receiver.heard("READY=1", 2)).toContain("with 1 worker");
    main.process.kill("SIGTERM");
    expect(await main.exitCode()).toBe(0);
    await receiver.heard("STOPPING=1");
    expect(receiver.states).toEqual(["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
    expect(Number(/MONOTONIC_USEC=(\d+)/.exec(await receiver.heard("RELOADING=1"))?.[1])).toBeGreaterThan(0);
  });

  test("a refused reload is over, too, and says why", async () => {
    start();
    await receiver.heard("READY=1");
    main.write("this is no configuration");
    main.process.kill("SIGHUP");
    expect(await receiver.heard("READY=1", 2)).toContain("STATUS=Reload refused: ");
    expect(receiver.states).toEqual(["READY=1", "RELOADING=1", "READY=1"]);
  });

  test("workers do not hear of the socket, nor of the watchdog", async () => {
    start({}, { KEPT: "yes" }, 60_000);
    await receiver.heard("READY=1");
    const environment = await (await main.ask("/env")).json();
    expect(environment).toMatchObject({ KEPT: "yes" });
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"])
      expect(environment).not.toHaveProperty(name);
  });

  test("a start that fails says why, with a number", async () => {
    const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("mine") });
    start({ listen: [`127.0.0.1:${taken.port}`] });
    expect(await main.exitCode()).toBe(1);
    expect(await receiver.heard("ERRNO=")).toMatch(/^ERRNO=98\nSTATUS=listen: .* is in use$/);
    expect(receiver.states).toEqual([]);
    await taken.stop(true);
  });

  test("a long drain asks for more time, again and again", async () => {
    start({ shutdownTimeoutMs: 3000 }, { FIXTURE_WORKER: "deaf" });
    await receiver.heard("READY=1");
    main.process.kill("SIGTERM");
    await receiver.heard("EXTEND_TIMEOUT_USEC=", 2);
    expect(receiver.messages.findIndex((text) => text.includes("STOPPING=1"))).toBeLessThan(
      receiver.messages.findIndex((text) => text.includes("EXTEND_TIMEOUT_USEC=")),
    );
  });

  test("the status tells connections, subscribers and rates", async () => {
    start();
    await receiver.heard("READY=1");
    const said = await receiver.heard("subscribers");
    expect(said.replaceAll(/\b\d+/g, "N").replace(/Serving \S+/, "Serving HERE")).toBe(
      "STATUS=Serving HERE with N workers: N connections, N subscribers; " +
        "N messages/s published, N/s delivered",
    );
    expect(said).toContain("with 2 workers");
  });
});

describe("the watchdog", () => {
  test("is told nothing where it does not watch this process", async () => {
    start({}, { WATCHDOG_PID: "1" }, 400);
    await receiver.heard("READY=1");
    await receiver.heard("subscribers");
    expect(receiver.count("WATCHDOG=1")).toBe(0);
  });

  test.each(["stopped", "in a loop"])(
    "a worker that is %s is replaced, while main goes on giving signs of life",
    async (how) => {
      start({}, {}, 2000);
      await receiver.heard("READY=1");
      const before = await main.workers(2);
      const victim = before[0]?.pid ?? 0;
      if (how === "stopped") process.kill(victim, "SIGSTOP");
      else {
        // The kernel chooses who gets the request: ask until it is the victim.
        await eventually("one worker to spin", async () => {
          await main.ask("/spin");
          return true;
        });
      }
      await main.logged(/its event loop stood still/);
      await eventually("the replacement", () => {
        const gone = before.filter(({ pid }) => !isRunning(pid));
        return gone.length === 1 ? true : null;
      });
      await main.logged(/worker replaced/);
      const told = receiver.count("WATCHDOG=1");
      await receiver.heard("WATCHDOG=1", told + 2);
      await main.workers(2);
      expect(main.process.exitCode).toBeNull();
    },
  );

  test("a main that is stopped says nothing", async () => {
    start({}, {}, 400);
    await receiver.heard("WATCHDOG=1", 3);
    main.process.kill("SIGSTOP");
    await Bun.sleep(100); // what was on its way
    const told = receiver.count("WATCHDOG=1");
    await Bun.sleep(1000);
    expect(receiver.count("WATCHDOG=1")).toBe(told);
    main.process.kill("SIGCONT");
    await receiver.heard("WATCHDOG=1", told + 2);
  });
});
