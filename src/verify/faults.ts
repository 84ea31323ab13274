/**
 * What `sluice verify` does to a server of its own: each fault with the load it is put upon, what the server
 * has to be like for it, and what may not be had on this machine. Used by run.ts; docs/reliability.md has a
 * row for each.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { HEAD_BOOT } from "../store/memory/layout-header.ts";
import type { Load } from "./crew.ts";
import { ENGINE_FAULTS } from "./engine-faults.ts";
import type { OwnEngine } from "./own-engine.ts";
import { type OwnServer, type OwnServerSetting, signal } from "./own-server.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";

export interface Fault {
  readonly name: string;
  /** Half a sentence: what is done. */
  readonly what: string;
  /** On nodes of a cluster alone, or on these as well; absent: on one machine alone. */
  readonly where?: "cluster" | "both";
  readonly server?: Partial<OwnServerSetting>;
  readonly load?: Partial<Load>;
  /** The store has no room for all: readers are told of what they lost. */
  readonly evicts?: boolean;
  /** Why it cannot be done here; null: it can. */
  readonly missing?: () => string | null;
  /** Once; null: the load alone is the fault. */
  readonly strike: ((scene: Scene) => Promise<void>) | null;
}

export interface Scene {
  /** The server, or one of the nodes. */
  readonly own: OwnServer;
  /** Of a cluster. */
  readonly engine: OwnEngine | null;
  readonly random: Random;
  readonly recorder: Recorder;
  /** Another program to go on with at an upgrade. */
  readonly other: readonly string[];
}

const worker = async ({ own, random }: Scene): Promise<number> => {
  const workers = await own.workers();
  return workers.length === 0 ? 0 : random.pick(workers);
};

/** FAKETIME_TIMESTAMP_FILE: what the faked clock is off by, read at every call. */
const CLOCK = "clock";
const FAKE_TIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];
const fakeTime = (): string | undefined => FAKE_TIME.find((path) => existsSync(path));

function fakedClock(folder: string): Readonly<Record<string, string>> {
  const file = join(folder, CLOCK);
  writeFileSync(file, "+0\n");
  return {
    LD_PRELOAD: fakeTime() ?? "",
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

const MACHINE_FAULTS: readonly Fault[] = [
  {
    name: "none",
    what: "readers leave, resume elsewhere, read slowly, stop reading, come in crowds",
    where: "both",
    strike: null,
  },
  {
    name: "worker-kill",
    what: "kill -9 of a worker",
    where: "both",
    strike: async (scene) => {
      const pid = await worker(scene);
      if (pid > 0) signal(pid, "SIGKILL");
    },
  },
  {
    name: "worker-stop",
    what: "a worker stands still (SIGSTOP) for up to four seconds",
    where: "both",
    strike: async (scene) => {
      const pid = await worker(scene);
      if (pid === 0 || !signal(pid, "SIGSTOP")) return;
      await Bun.sleep(scene.random.between(100, 4000));
      signal(pid, "SIGCONT");
    },
  },
  {
    name: "worker-twitch",
    what:
      "workers are stopped for up to 3 ms, hundreds of times a strike, wherever they are, in the " +
      "store's lock, too",
    where: "both",
    strike: async (scene) => {
      const workers = await scene.own.workers();
      for (let times = 0; times < 400 && workers.length > 0; times++) {
        const pid = scene.random.pick(workers);
        if (!signal(pid, "SIGSTOP")) return;
        await Bun.sleep(scene.random.between(0, 3));
        signal(pid, "SIGCONT");
        await Bun.sleep(scene.random.between(0, 3));
      }
    },
  },
  {
    name: "main-kill",
    what: "kill -9 of the main process, and a start as systemd makes it",
    where: "both",
    strike: async ({ own }) => {
      await own.kill();
      await own.start();
    },
  },
  {
    name: "restart",
    what: "SIGTERM and a start",
    where: "both",
    strike: async ({ own }) => {
      await own.stop();
      await own.start();
    },
  },
  {
    name: "reload",
    what: "SIGHUP under load",
    where: "both",
    strike: async ({ own, random }) => {
      own.reload();
      await Bun.sleep(random.between(500, 4000));
    },
  },
  {
    name: "upgrade",
    what: "a stop, and a start of another binary",
    strike: async ({ own, other }) => {
      const before = own.program;
      await own.stop();
      own.program = other.length === 0 || before === other ? before : other;
      await own.start();
    },
  },
  {
    name: "store-full",
    what: "a store of 1 MiB, messages of up to 30 kB: what is not read in time is evicted",
    server: { storeSize: "1MiB" },
    load: { maxFilling: 30_000, rate: 300 },
    evicts: true,
    strike: null,
  },
  {
    name: "slow-readers",
    what:
      "messages of up to 30 kB and buffers that hold none: who does not read lags at once, and " +
      "catches up",
    server: { storeSize: "96MiB", sendBuffer: "16KiB" },
    load: { maxFilling: 30_000, rate: 150 },
    strike: null,
  },
  {
    name: "disk-full",
    what: "the disk under the store is full, and a restart on it",
    server: { sync: "100ms", storeSize: "8MiB", diskSize: "24m" },
    missing: () => (process.getuid?.() === 0 && Bun.which("mount") !== null ? null : "mounting needs root"),
    strike: fillDisk,
  },
  {
    name: "no-descriptors",
    what: "fewer descriptors than readers who want to come in",
    server: { wrapper: ["prlimit", "--nofile=96:96"] },
    load: { readers: 60, crowd: 200 },
    missing: () => (Bun.which("prlimit") === null ? "there is no prlimit" : null),
    strike: null,
  },
  {
    name: "clock",
    what: "the clock jumps by up to an hour, forward and back",
    server: { environment: fakedClock },
    missing: () => (fakeTime() === undefined ? "there is no libfaketime" : null),
    strike: async ({ own, random }) => {
      writeFileSync(join(own.folder, CLOCK), `${random.chance(0.5) ? "+" : "-"}${random.between(1, 3600)}\n`);
      await Bun.sleep(2000);
    },
  },
  {
    name: "power-cut",
    what: "everything ends at once; the store is an earlier state of the file with pages of the later one",
    server: { sync: "100ms", storeSize: "8MiB" },
    strike: cutPower,
  },
];

export const FAULTS: readonly Fault[] = [...MACHINE_FAULTS, ...ENGINE_FAULTS];

export const faultsOf = (isCluster: boolean): readonly Fault[] =>
  FAULTS.filter(({ where }) => where === "both" || (where === "cluster") === isCluster);

const PAGE = 4096;

/**
 * The file as it was, with every other page at random as it is: what a disk may hold that was not told when
 * to write.
 */
async function cutPower({ own, random, recorder }: Scene): Promise<void> {
  const earlier = own.snapshot();
  await Bun.sleep(random.between(0, 1500));
  await own.cutPower();
  recorder.cut();
  const [from, to] = [openSync(own.storeFile, "r"), openSync(earlier, "r+")];
  const page = Buffer.alloc(PAGE);
  for (let at = PAGE * 4; at < statSync(earlier).size; at += PAGE) {
    if (!random.chance(0.3)) continue;
    readSync(from, page, 0, PAGE, at);
    writeSync(to, page, 0, PAGE, at);
  }
  // Another boot: what the file says may be older than what was answered.
  readSync(to, page, 0, PAGE, 0);
  page[HEAD_BOOT * 4] = (page[HEAD_BOOT * 4] ?? 0) ^ 1;
  writeSync(to, page, 0, PAGE, 0);
  closeSync(from);
  closeSync(to);
  cpSync(earlier, own.storeFile);
  rmSync(earlier);
  await own.start();
}

/** A file that takes what is left; the store was allocated before. */
async function fillDisk({ own, random }: Scene): Promise<void> {
  const file = join(own.folder, "filling");
  const megabyte = Buffer.alloc(2 ** 20, 1);
  const descriptor = openSync(file, "w");
  try {
    for (;;) writeSync(descriptor, megabyte);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    closeSync(descriptor);
  }
  await Bun.sleep(random.between(200, 1500));
  await own.stop();
  await own.start();
  rmSync(file);
}
