/** What a worker has allocated and needs no more is collected, however large the store is beside it. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { layout, type RunningServer, startServer } from "./running-server.ts";

let server: RunningServer | null = null;
afterEach(async () => {
  await server?.stop();
  server = null;
});

const PUBLISHERS = 24;
const EACH = 400;
/** A publish leaves its body and 2 to 3 kB more: together 100 MB. */
const BODY = "x".repeat(8000);
const MAX_GROWTH_BYTES = 40e6;

/** The worker's own memory: the store is shared, and not among it. */
const anonymousBytes = (pid: number): number =>
  Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) * 1024;

// Past hole: the engine counts the mapped store as its heap, and let a third of that become garbage.
test("beside a store of 384 MiB, 100 MB of publishes leave less than 40 MB in the worker", async () => {
  server = await startServer({ toml: layout('[store]\nsize = "384MiB"'), workers: 1 });
  const [pid = 0] = await server.workerPids();
  const { url } = server;
  const publish = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const answer = await fetch(`${url}/pub?id=garbage`, { method: "POST", body: BODY });
      await answer.arrayBuffer();
    }
  };
  await publish(500);
  const before = anonymousBytes(pid);
  await Promise.all(Array.from({ length: PUBLISHERS }, () => publish(EACH)));
  expect(anonymousBytes(pid) - before).toBeLessThan(MAX_GROWTH_BYTES);
}, 30_000);

const LARGE = "x".repeat(1_000_000);
const LARGE_MESSAGES = 200;
/** No more than what a second of these can leave, and as much again. */
const PAUSE_MS = 15;
const MOST_BYTES = 120e6;

// Past hole: what was alive when new things were collected, as a large message in the middle of being sent
// is, was not looked at again before the heap had grown by half of the mapped store.
test("200 messages of 1 MB, one after the other, are not all in the worker at last", async () => {
  server = await startServer({
    toml: layout('[store]\nsize = "256MiB"\n[limits]\nmax_body_size = "2MiB"'),
    workers: 1,
  });
  const [pid = 0] = await server.workerPids();
  const { url } = server;
  await fetch(`${url}/pub?id=large`, { method: "POST", body: "first" });
  const before = anonymousBytes(pid);
  for (let i = 0; i < LARGE_MESSAGES; i++) {
    const answer = await fetch(`${url}/pub?id=large`, { method: "POST", body: LARGE });
    expect(answer.status).toBe(200);
    await Bun.sleep(PAUSE_MS);
  }
  expect(anonymousBytes(pid) - before).toBeLessThan(MOST_BYTES);
}, 30_000);

const MOST_AT_ONCE_BYTES = 45e6;

// Past hole: a body and the pieces it came in waited for a collection, which came after a second or later.
test.each(["wire", "native"])(
  "60 messages of 1 MB are never all in the worker, %s",
  async (door) => {
    server = await startServer({
      toml: layout(`listener = "${door}"\n[store]\nsize = "128MiB"\n[limits]\nmax_body_size = "2MiB"`),
      workers: 1,
    });
    const [pid = 0] = await server.workerPids();
    const { url } = server;
    const publish = (body: string) => fetch(`${url}/pub?id=large`, { method: "POST", body });
    await (await publish("first")).arrayBuffer();
    const before = anonymousBytes(pid);
    let most = 0;
    for (let i = 0; i < 60; i++) {
      const answer = await publish(LARGE);
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
      most = Math.max(most, anonymousBytes(pid) - before);
    }
    expect(most).toBeLessThan(MOST_AT_ONCE_BYTES);
  },
  30_000,
);
