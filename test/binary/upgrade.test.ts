/**
 * Another program on the same store (promise P6): messages and positions live on; a store it cannot read
 * costs them, and a line in the log.
 */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LAYOUT_VERSION } from "../../src/store/memory/layout.ts";
import { HEAD_LAYOUT_VERSION, HEAD_MAGIC_A } from "../../src/store/memory/layout-header.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { binary, layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(60_000);

const programs = mkdtempSync(join(tmpdir(), "sluice-upgrade-"));
let server: RunningServer;
let reader: ResumingReader | null = null;
afterEach(async () => {
  reader?.close();
  reader = null;
  await server.stop();
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

const toml = layout("", { ev: 'event_ids = "auto"' });
const storeFile = (): string => join(server.folder, `127.0.0.1-${server.port}`);
const asideFiles = (): string[] => readdirSync(server.folder).filter((name) => name.includes(".aside-"));

/** Stops it and starts `program` on the same store and address. */
async function startAgain(program = binary): Promise<void> {
  expect(await server.stop(true)).toBe(0);
  server = await startServer({ toml, folder: server.folder, port: server.port, program });
}

test("the program's file is replaced, main is told to reload, then restarted: nothing is lost", async () => {
  const program = join(programs, "sluice");
  linkSync(binary, program);
  server = await startServer({ toml, program });
  reader = new ResumingReader(server.url, "/ev/news");
  await until("a first position", () => reader?.lastId !== "");
  await server.publish("news", "1");
  const newer = join(programs, "newer");
  copyFileSync(binary, newer);
  renameSync(newer, program);
  // Workers of a reload are of main's version, whatever the file is by now.
  server.process.kill("SIGHUP");
  await until("the reload", () => server.log.includes("reloaded generation="));
  await until("new workers only", async () => (await server.workerPids().catch(() => [])).length === 2);
  for (const pid of await server.workerPids())
    expect(readlinkSync(`/proc/${pid}/exe`)).toEndWith(" (deleted)");
  await server.publish("news", "2");
  await startAgain(program);
  expect(server.log).toContain("store_state=reopened messages=2");
  for (const pid of await server.workerPids()) expect(readlinkSync(`/proc/${pid}/exe`)).toBe(program);
  await server.publish("news", "3");
  await until("the third", () => reader?.messages.includes("3") === true);
  expect([reader.messages, reader.missed]).toEqual([["1", "2", "3"], 0]);
});

/** As a program of another layout would have left it. */
function doctor(word: number, value: number): void {
  const descriptor = openSync(storeFile(), "r+");
  writeSync(descriptor, new Uint8Array(Uint32Array.of(value).buffer), 0, 4, word * 4);
  closeSync(descriptor);
}

describe.each([
  ["an older layout", HEAD_LAYOUT_VERSION, LAYOUT_VERSION - 1],
  ["a newer layout", HEAD_LAYOUT_VERSION, LAYOUT_VERSION + 1],
  ["no store at all", HEAD_MAGIC_A, 0],
] as const)("a file of %s", (what, word, value) => {
  test("is set aside, once, and serving goes on", async () => {
    server = await startServer({ toml });
    reader = new ResumingReader(server.url, "/ev/news");
    await until("a first position", () => reader?.lastId !== "");
    await server.publish("news", "before");
    await until("the first message", () => reader?.messages.length === 1);
    await server.stop(true);
    doctor(word, value);
    server = await startServer({ toml, folder: server.folder, port: server.port });
    const line = server.log.split("\n").find((text) => text.includes("store replaced")) ?? "";
    expect(line).toContain(
      what === "no store at all"
        ? "is not a sluice store"
        : `has layout version ${value}, this program uses ${LAYOUT_VERSION}`,
    );
    const [aside = ""] = asideFiles();
    expect(line).toContain(`set_aside=${join(server.folder, aside)}`);
    await server.publish("news", "after");
    await until("the message after", () => reader?.messages.includes("after") === true);
    // Nobody knows how many it missed, and it is told that.
    expect(reader.missed).toBeNaN();
    await startAgain();
    expect(server.log).toContain("store_state=reopened messages=1");
    expect(asideFiles()).toEqual([aside]);
  });
});

/** Runs the program where the store's folder has room for one and a half stores. */
const crowded = (folder: string): readonly string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mv "$0" "$0.full" && mkdir "$0" && mount -t tmpfs -o size=24m sluice-test "$0" && cp ' +
    '"$0.full"/* "$0" && exec "$@"',
  folder,
];
const canMount =
  process.getuid?.() === 0 &&
  Bun.spawnSync(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"], { stderr: "ignore" }).success;

test.skipIf(!canMount)("an upgrade failed at every start when there was no room for two stores", async () => {
  const config = `[store]\nsize = "16MiB"`;
  server = await startServer({ toml: layout(config) });
  await server.publish("news", "before");
  await server.stop(true);
  doctor(HEAD_LAYOUT_VERSION, LAYOUT_VERSION - 1);
  expect(statSync(storeFile()).size).toBe(16 * 2 ** 20);
  const { folder, port } = server;
  server = await startServer({ toml: layout(config), folder, port, through: crowded(folder) });
  expect(server.log).toContain("there was no room to keep it");
  expect((await server.publish("news", "after")).status).toBe(200);
  rmSync(`${folder}.full`, { recursive: true });
});
