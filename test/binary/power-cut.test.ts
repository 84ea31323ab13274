/**
 * A store on a disk that loses its power: a file system in an image on a loop device, and what is in the
 * image at a moment is what the disk would have. Seen was: ids given out twice under one epoch, so that a
 * client who came back missed as many messages and was not told.
 */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEAD_BOOT } from "../../src/store/memory/layout-header.ts";
import { openStore } from "../../src/store/opening.ts";
import type { StorePolicy } from "../../src/store/store.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "sluice-power-"));
const image = join(folder, "image");
const mount = join(folder, "disk");
const storePath = join(mount, "store");

const run = (...command: string[]): boolean =>
  Bun.which(command[0] ?? "") !== null && Bun.spawnSync(command, { stderr: "ignore" }).success;

/** No journal: what is asked for is in its place. */
function makeDisk(): boolean {
  mkdirSync(mount);
  return (
    run("truncate", "-s", "16M", image) &&
    run("mkfs.ext4", "-q", "-O", "^has_journal", image) &&
    Bun.which("debugfs") !== null &&
    run("mount", "-o", "loop", image, mount)
  );
}

// Root, loop devices and e2fsprogs; elsewhere a power cut can only be played with pages
// (test/fuzz/corruption.test.ts).
const hasDisk = process.getuid?.() === 0 && makeDisk();

let server: RunningServer | null = null;
let reader: ResumingReader | null = null;
beforeAll(() => {
  if (!hasDisk) console.log("power cuts are skipped: no loop device can be mounted here");
});
afterEach(async () => {
  reader?.close();
  await server?.stop();
  server = null;
  rmSync(storePath, { force: true });
});
afterAll(() => {
  run("umount", mount);
  rmSync(folder, { recursive: true, force: true });
});

const SIZE = 2 ** 20;
const toml = (sync: string): string =>
  layout(`[store]\npath = "${storePath}"\nsize = ${SIZE}\nsync = "${sync}"`, { ev: 'event_ids = "auto"' });

/** The store as it would be found if the power went now; the boot that wrote it is another one then. */
function storeOnDisk(): Uint8Array {
  const copy = join(folder, "copy");
  if (!run("debugfs", "-R", `dump /store ${copy}`, image)) throw new Error("the image cannot be read");
  const bytes = new Uint8Array(readFileSync(copy));
  new Uint32Array(bytes.buffer, 0, HEAD_BOOT + 1)[HEAD_BOOT]! ^= 1;
  return bytes;
}

/**
 * How many messages a machine that comes up again finds. -1: the store of the test before, as a machine would
 * not: it reads the file system's journal first, which the dump does not.
 */
function messagesOnDisk(): number {
  const path = join(folder, "found");
  writeFileSync(path, storeOnDisk(), { mode: 0o600 });
  // As the configuration makes it (store-checks.ts).
  const keys = SIZE / 1024;
  const shape = { path, size: SIZE, blockSize: 256, channels: 0, ringSize: 1024, workerSlots: 32, keys };
  const { store, report } = openStore(shape, POLICY);
  store.close();
  rmSync(path);
  if (report.kind === "reopened") return -1;
  expect(report).toMatchObject({ kind: "recovered", isSameLife: false, dropped: 0 });
  return report.messages;
}

const POLICY: StorePolicy = {
  messageTtlSec: 1000,
  unstoredTtlSec: 10,
  maxStoredPerChannel: 0,
  maxStoredBytesPerChannel: 0,
  channelInactivitySec: 100,
  keyWindowSec: 300,
  maxChannels: 0,
  maxWildcardChannels: 0,
  wildcardPrefix: new Uint8Array(0),
  eventsChannel: new Uint8Array(0),
};

describe.skipIf(!hasDisk)("a power cut", () => {
  test('with sync = "each" costs nothing that a publisher was answered', async () => {
    server = await startServer({ toml: toml("each") });
    for (let count = 1; count <= 8; count++) {
      expect((await server.publish("news", `${count}`.repeat(count * 150))).status).toBe(200);
      expect(messagesOnDisk()).toBe(count);
    }
    const together = Array.from({ length: 30 }, (_, at) => server?.publish(`c${at % 3}`, "x"));
    await Promise.all(together);
    expect(messagesOnDisk()).toBe(38);
    await server.request("/pub?id=news", { method: "DELETE" });
    expect(messagesOnDisk()).toBe(30);
  });

  test("with an interval costs what came since the last one", async () => {
    server = await startServer({ toml: toml("100ms") });
    for (let count = 1; count <= 3; count++) {
      await server.publish("news", "x");
      await until("the next flush", () => messagesOnDisk() === count);
    }
  });

  test("costs messages a client had seen: it is told, and misses no new one in silence", async () => {
    server = await startServer({ toml: toml("none") });
    reader = new ResumingReader(server.url, "/ev/news");
    await until("a first position", () => reader?.lastId !== "");
    for (let count = 1; count <= 10; count++) await server.publish("news", `old ${count}`);
    run("sync", "-f", mount);
    for (let count = 11; count <= 20; count++) await server.publish("news", `old ${count}`);
    const found = storeOnDisk();
    await until("all of them", () => reader?.messages.length === 20);
    const { port } = server;
    for (const pid of [server.process.pid, ...(await server.workerPids())]) process.kill(pid, "SIGKILL");
    await server.process.exited;
    writeFileSync(storePath, found);
    // New ones take the ids of the lost ones before the client is back.
    reader.url = "http://127.0.0.1:1";
    server = await startServer({ toml: toml("none"), port });
    expect(server.log).toMatch(
      /store recovered: the machine went down.* messages=10 dropped=0 positions=new/,
    );
    for (let count = 1; count <= 15; count++) await server.publish("news", `new ${count}`);
    reader.url = server.url;
    await until("the client to be told", () => Number.isNaN(reader?.missed));
    await server.publish("news", "last");
    await until("the last one", () => reader?.messages.includes("last") === true);
  });
});
