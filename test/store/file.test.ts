import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import {
  HEAD_LAYOUT_VERSION,
  HEAD_LOCK,
  HEAD_MAIN_BIRTH,
  HEAD_MAIN_PID,
} from "../../src/store/memory/layout-header.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { StoreShape } from "../../src/store/store.ts";
import { Channel, NOW_SEC, POLICY, removeTempFolders, smallShape } from "./fixture.ts";

afterAll(removeTempFolders);

/** A store with one message, stopped in order. */
function leaveStore(shape: StoreShape): number {
  const { store } = openStore(shape, POLICY);
  new Channel(store, "a").append("kept");
  store.upkeep.markClean();
  store.close();
  return store.epoch;
}

describe("a new store", () => {
  test("has every page allocated, mode 0600, and leaves no temporary file", () => {
    const shape = smallShape({ size: 1 << 20 });
    const { store, report } = openStore(shape, POLICY);
    const stats = statSync(shape.path);
    expect(report).toEqual({
      kind: "created",
      reason: "there was none",
      messages: 0,
      dropped: 0,
      isSameLife: false,
      setAside: null,
      removed: [],
    });
    expect([stats.size, stats.mode & 0o777, stats.blocks * 512 >= stats.size]).toEqual([
      1 << 20,
      0o600,
      true,
    ]);
    expect(readdirSync(dirname(shape.path))).toEqual(["store"]);
    expect(Math.abs(store.startedSec - Date.now() / 1000)).toBeLessThan(5);
    expect(store.epoch).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  test("has another epoch than the one before", () => {
    const epochs = [1, 2, 3].map(() => openStore(smallShape(), POLICY).store.epoch);
    expect(new Set(epochs).size).toBe(3);
    expect(epochs.every(Number.isSafeInteger)).toBe(true);
  });

  test("in a folder that is not there, or without room, is one clear error", () => {
    const shape = smallShape();
    expect(() => openStore({ ...shape, path: "/nowhere/store" }, POLICY)).toThrow(
      "cannot create the store /nowhere/store of 131072 bytes: ENOENT",
    );
    expect(() => openStore({ ...shape, size: 5 * 1024 ** 3 }, POLICY)).toThrow("4 GiB");
  });

  test("is not written through a link that somebody put at its temporary name", () => {
    const shape = smallShape();
    writeFileSync(`${shape.path}.victim`, "precious");
    symlinkSync(`${shape.path}.victim`, `${shape.path}.new-${process.pid}`);
    expect(openStore(shape, POLICY).report.kind).toBe("created");
    expect(readFileSync(`${shape.path}.victim`, "utf8")).toBe("precious");
    expect(lstatSync(shape.path).isFile()).toBe(true);
  });
});

describe("a store that is there", () => {
  test("is reopened after a clean stop, with epoch and messages", () => {
    const shape = smallShape();
    const epoch = leaveStore(shape);
    const { store, report } = openStore(shape, POLICY);
    expect(report).toMatchObject({ kind: "reopened", messages: 1, dropped: 0 });
    expect(store.epoch).toBe(epoch);
    expect(new Channel(store, "a").after(0)).toEqual(["1:kept"]);
  });

  test("is recovered after an unclean one; slots and lock of the dead are free", () => {
    const shape = smallShape();
    const { store } = openStore(shape, POLICY);
    new Channel(store, "a").append("kept");
    store.workers.claimSlot(4242, NOW_SEC);
    store.arena.u32[HEAD_LOCK] = 4242;
    const again = openStore(shape, POLICY);
    expect(again.report).toMatchObject({ kind: "recovered", messages: 1, dropped: 0 });
    expect(again.store.workers.slotOf(4242)).toBe(-1);
    expect(again.store.arena.u32[HEAD_LOCK]).toBe(0);
    expect(again.store.epoch).toBe(store.epoch);
  });

  test("is refused while another living main process has it", () => {
    const shape = smallShape();
    const { store } = openStore(shape, POLICY);
    // Pid 1 lives; with a birth that is not its own it is another process with a pid used again.
    store.arena.u32[HEAD_MAIN_PID] = 1;
    expect(openStore(shape, POLICY).report.kind).toBe("recovered");
    store.arena.u32[HEAD_MAIN_PID] = 1;
    store.arena.u32[HEAD_MAIN_BIRTH] = birthOfInit();
    expect(() => openStore(shape, POLICY)).toThrow(`the store ${shape.path} is in use by process 1`);
  });

  test.each([
    ["another size", { size: 256 * 1024 }],
    ["another block size", { blockSize: 512 }],
    ["another ring", { ringSize: 128 }],
    ["more channels", { channels: 128 }],
    ["more slots", { workerSlots: 8 }],
  ])("with %s is replaced, and the loss reported", (_what, change) => {
    const shape = smallShape();
    const epoch = leaveStore(shape);
    const { store, report } = openStore({ ...shape, ...change }, POLICY);
    expect(report).toMatchObject({ kind: "replaced", messages: 0, dropped: 1, setAside: null });
    expect(store.epoch).not.toBe(epoch);
    expect(new Channel(store, "a").append("works")).toBe(1);
  });
});

describe("a file that cannot be used is set aside, never deleted", () => {
  const cases: [string, (shape: StoreShape) => void, string][] = [
    ["empty", ({ path }) => writeFileSync(path, "", { mode: 0o600 }), "has only 0 bytes"],
    [
      "foreign",
      ({ path }) => writeFileSync(path, "x".repeat(200_000), { mode: 0o600 }),
      "is not a sluice store",
    ],
    [
      "truncated",
      (shape) => spoil(shape, () => truncateSync(shape.path, 100_000)),
      "100000 bytes instead of 131072",
    ],
    ["cut in the header", (shape) => spoil(shape, () => truncateSync(shape.path, 100)), "has only 100 bytes"],
    [
      "of another version",
      (shape) => spoil(shape, () => setVersion(shape.path, 99)),
      "has layout version 99",
    ],
    [
      "writable by others",
      (shape) => spoil(shape, () => chmodSync(shape.path, 0o666)),
      "written by other users",
    ],
    ["a link to a good store", (shape) => spoil(shape, () => linkAway(shape.path)), "symbolic link"],
    ["a dangling link", ({ path }) => symlinkSync(`${path}.nothing`, path), "symbolic link"],
  ];
  test.each(cases)("%s", (_what, make, reason) => {
    const shape = smallShape();
    make(shape);
    const { store, report } = openStore(shape, POLICY);
    expect(report.kind).toBe("replaced");
    expect(report.reason).toContain(reason);
    expect(
      lstatSync(report.setAside ?? "").isFile() || lstatSync(report.setAside ?? "").isSymbolicLink(),
    ).toBe(true);
    expect(lstatSync(shape.path).isFile()).toBe(true);
    expect(existsSync(`${shape.path}.nothing`)).toBe(false);
    expect(new Channel(store, "a").append("works")).toBe(1);
  });

  test("a folder is an error, since nobody can want that", () => {
    const shape = smallShape();
    mkdirSync(shape.path);
    expect(() => openStore(shape, POLICY)).toThrow("cannot open the store");
  });
});

describe("attachStore", () => {
  test("sees the same memory, whatever shape main chose", () => {
    const shape = smallShape();
    const { store } = openStore(shape, POLICY);
    const worker = attachStore(shape.path, POLICY);
    new Channel(store, "a").append("from main");
    expect(new Channel(worker, "a").after(0)).toEqual(["1:from main"]);
    expect([worker.epoch, worker.startedSec]).toEqual([store.epoch, store.startedSec]);
    expect([worker.channelCapacity, worker.workerSlots]).toEqual([64, 4]);
  });

  test("without a usable store is one clear error", () => {
    const shape = smallShape();
    expect(() => attachStore(shape.path, POLICY)).toThrow(`there is no store at ${shape.path}`);
    writeFileSync(shape.path, "x".repeat(10_000), { mode: 0o600 });
    expect(() => attachStore(shape.path, POLICY)).toThrow("is not a sluice store");
  });
});

function spoil(shape: StoreShape, how: () => void): void {
  leaveStore(shape);
  how();
}

/** What an attacker in a shared folder would do: our store somewhere else, and a link to it. */
function linkAway(path: string): void {
  renameSync(path, `${path}.elsewhere`);
  symlinkSync(`${path}.elsewhere`, path);
}

function setVersion(path: string, version: number): void {
  const words = new Uint32Array(new Uint8Array(readFileSync(path)).buffer);
  words[HEAD_LAYOUT_VERSION] = version;
  writeFileSync(path, words);
}

/** What owner.ts writes for pid 1, made here a second time so that a change of the recipe is noticed. */
function birthOfInit(): number {
  const stat = readFileSync("/proc/1/stat", "latin1");
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
  return Bun.hash.xxHash32(`${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]} ${boot}`);
}
