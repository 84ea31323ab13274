/**
 * A worker that dies with the store's lock in its hands, in a store whose journal cannot be believed: every
 * list is made anew by a process of its own, nothing stored is lost, and publishing goes on.
 */
import { afterEach, expect, test } from "bun:test";
import { JOURNAL_KIND, REBUILD } from "../../src/store/lock/journal.ts";
import { HEAD_LOCK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { binary, layout, type RunningServer, startServer, until } from "./running-server.ts";

const MESSAGES = 20;

let server: RunningServer;
let header: Int32Array<ArrayBuffer>;

afterEach(async () => {
  await server.stop();
});

async function serve(): Promise<void> {
  server = await startServer({ toml: layout('[store]\nsize = "32MiB"'), workers: 2 });
  const bytes = Bun.mmap(/ store=(\S+)/.exec(server.log)?.[1] ?? "", { shared: true });
  header = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
  for (let at = 1; at <= MESSAGES; at++)
    await server.request(`/pub?id=c`, { method: "POST", body: `<${at}>` });
}

/** Kills a worker as if it had been at a change of this kind. */
async function killHolding(kind: number): Promise<number> {
  const { by_worker } = await server.summary();
  const pid = Number(by_worker[0]?.pid);
  process.kill(pid, "SIGSTOP");
  await until("the lock is free", () => Atomics.compareExchange(header, HEAD_LOCK, 0, pid) === 0);
  header[JOURNAL_KIND] = kind;
  process.kill(pid, "SIGKILL");
  return pid;
}

async function expectAllThere(): Promise<void> {
  await until("the lock is free", () => Atomics.load(header, HEAD_LOCK) === 0);
  const published = await server.request("/pub?id=c", { method: "POST", body: "<last>" });
  expect(published.status).toBe(200);
  const { text } = await server.request("/poll/c.b100");
  for (let at = 1; at <= MESSAGES; at++) expect(text).toContain(`<${at}>`);
  expect(text).toContain("<last>");
  expect(header[JOURNAL_KIND]).toBe(0);
}

test("a worker killed while it made the lists anew: a child of main makes them anew", async () => {
  await serve();
  const pid = await killHolding(REBUILD);
  await until("it is told", () => server.log.includes("the lists are being made anew"));
  await expectAllThere();
  await until("the damage is told", () =>
    server.log.includes("the store's lists were damaged, and were made anew"),
  );
  expect(server.log).toContain(`with a damaged journal; the lists are being made anew pid=${pid}`);
  expect(server.log).not.toContain("could not be mended");
}, 30_000);

test("a worker killed in a change: main finishes it, and makes nothing anew", async () => {
  await serve();
  await killHolding(0);
  await until("it is told", () => server.log.includes("the store was repaired"));
  await expectAllThere();
  expect(server.log).not.toContain("made anew");
}, 30_000);

test("the internal command says what it is for", async () => {
  await serve();
  const { exitCode, stderr } = Bun.spawnSync([binary, "__mend"]);
  expect([exitCode, stderr.toString()]).toEqual([2, expect.stringContaining("internal")]);
});
