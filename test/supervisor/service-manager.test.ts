/**
 * What is sent to the service manager, without a main: addresses, the watchdog's variables, error numbers,
 * order under pressure.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { openNotifySocket, socketAddress } from "../../src/supervisor/service/notify.ts";
import { errnoOf, ServiceManager, watchdogMsOf } from "../../src/supervisor/service/service-manager.ts";
import { NotifyReceiver } from "./notify-receiver.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-notify-"));
let receiver: NotifyReceiver | null = null;
afterEach(() => {
  receiver?.close();
  receiver = null;
});
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

describe("the address", () => {
  test.each([
    ["/run/n", "01002f72756e2f6e00"],
    ["@n/1", "0100006e2f31"],
  ])("%s as the kernel takes it", (text, hex) => {
    expect(Buffer.from(socketAddress(text) ?? []).toString("hex")).toBe(hex);
  });

  test.each(["", "n", "@", "vsock:2:1", `/${"x".repeat(107)}`])("%p is none", (text) => {
    expect(socketAddress(text)).toBeNull();
  });

  test("of 107 bytes is the longest", () => {
    expect(socketAddress(`/${"x".repeat(106)}`)?.length).toBe(110);
  });
});

describe.each(["@", "/"])("a socket at %s…", (kind) => {
  const address = kind === "@" ? `@sluice-test-${process.pid}` : join(folder, "notify");

  test("gets every message whole", async () => {
    receiver = new NotifyReceiver(address);
    const manager = await ServiceManager.of(receiver.environment());
    manager.ready("Serving\nREADY=0 everything");
    expect(await receiver.heard("READY=1")).toBe(
      `READY=1\nMAINPID=${process.pid}\nSTATUS=Serving READY=0 everything`,
    );
  });

  test("that was full gets all states later, in order; a status in between may be lost", async () => {
    receiver = new NotifyReceiver(address);
    receiver.pause(true);
    const manager = await ServiceManager.of(receiver.environment());
    const socket = openNotifySocket(address);
    let fillers = 0;
    while (socket.send("FILLER=1")) fillers++;
    manager.reloading();
    manager.status("lost");
    manager.ready("again");
    manager.stopping("the end");
    receiver.pause(false);
    await receiver.heard("STOPPING=1");
    expect(receiver.count("FILLER=1")).toBe(fillers);
    expect(receiver.states.filter((line) => line !== "FILLER=1")).toEqual([
      "RELOADING=1",
      "READY=1",
      "STOPPING=1",
    ]);
    expect(receiver.count("lost")).toBe(0);
  });
});

test("the time of a reload is the clock systemd uses", async () => {
  receiver = new NotifyReceiver(join(folder, "notify"));
  const manager = await ServiceManager.of(receiver.environment());
  const bootedForMs = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
  const beforeMs = bootedForMs();
  manager.reloading();
  const ms = Number(/MONOTONIC_USEC=(\d+)/.exec(await receiver.heard("RELOADING=1"))?.[1]) / 1000;
  // /proc/uptime counts in hundredths, and counts time of sleep as well.
  expect(ms).toBeLessThanOrEqual(bootedForMs() + 10);
  expect(ms).toBeGreaterThan(Math.min(beforeMs, 10) - 10);
});

test("signs of life are sent at half of the interval, however often one looks", async () => {
  receiver = new NotifyReceiver(join(folder, "notify"));
  const manager = await ServiceManager.of(receiver.environment(1000));
  for (let nowMs = 0; nowMs <= 2000; nowMs += 125) manager.alive(nowMs);
  // Before a repair that may take longer than the other half.
  manager.alive(2001, true);
  manager.stopping("");
  await receiver.heard("STOPPING=1");
  expect(receiver.count("WATCHDOG=1")).toBe(6);
});

test.each([
  [{}, 0],
  [{ WATCHDOG_USEC: "3000000" }, 3000],
  [{ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "7" }, 3000],
  [{ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "8" }, 0],
  [{ WATCHDOG_USEC: "soon" }, 0],
  [{ WATCHDOG_USEC: "-1" }, 0],
])("the watchdog of %p", (environment, ms) => {
  expect(watchdogMsOf(environment, 7)).toBe(ms);
});

test.each([
  [["listen: 127.0.0.1:80 is in use"], constants.errno.EADDRINUSE],
  [["listen: 0.0.0.0:80 needs more rights: ports below 1024 are for root"], constants.errno.EACCES],
  [["cannot create the store /x: ENOENT"], constants.errno.ENOENT],
  [["EVERYTHING is wrong", "error_log: EACCES: permission denied"], constants.errno.EACCES],
  [["workers: many"], constants.errno.EINVAL],
  [[], constants.errno.EINVAL],
])("the number of %p", (faults, number) => {
  expect(errnoOf(faults)).toBe(number);
});

describe("without a manager", () => {
  test.each([{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: "vsock:2:1" }])(
    "%p: every call is nothing",
    async (environment) => {
      const manager = await ServiceManager.of(environment);
      expect([manager.isThere, manager.watchdogMs]).toEqual([false, 0]);
      manager.ready("");
      manager.reloading();
      manager.alive(0);
      manager.failed(["fault"]);
    },
  );

  test("a socket that nobody reads holds nothing up", async () => {
    const manager = await ServiceManager.of({ NOTIFY_SOCKET: join(folder, "nobody") });
    for (let count = 0; count < 1000; count++) manager.ready("");
    expect(manager.isThere).toBe(true);
  });
});
