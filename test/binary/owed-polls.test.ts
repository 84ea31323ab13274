/**
 * A message that was published while a long poll waited, and that its worker had not come to when the poll's
 * time was over: seen was "304, go on from now" over the turn of a second, with which it was lost untold. The
 * worker stands still here from before the message until after the time-out.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, POLICY } from "../store/fixture.ts";
import { ask, RawConnection, standing } from "./raw-client.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-owed-"));
const path = join(folder, "store");
const POLLS = 12;

let server: RunningServer;
let store: Store;
beforeAll(async () => {
  const toml = layout(`[store]\nsize = "16MiB"\npath = "${path}"`, {
    lp: 'longpolling_connection_ttl = "1s"',
  });
  server = await startServer({ toml, workers: 1 });
  store = attachStore(path, POLICY);
});
afterAll(async () => {
  store.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const nextSecond = (): Promise<void> => Bun.sleep(1000 - (Date.now() % 1000));

test("what a long poll is owed at its end reaches its client, now or with the next one", async () => {
  const [worker = 0] = await server.workerPids();
  const names = Array.from({ length: POLLS }, (_, number) => `owed${number}`);
  const polls = await Promise.all(
    names.map(async (name) => {
      const poll = await RawConnection.open(server.port);
      poll.request(`/lp/${name}`);
      await standing(server.port, name);
      return poll;
    }),
  );
  process.kill(worker, "SIGSTOP");
  try {
    await nextSecond();
    await Bun.sleep(700);
    for (const name of names) {
      const index = store.find(bytes(name));
      const nowMs = Date.now();
      expect(store.append(index, store.incarnation(index), bytes(name), null, null, true, nowMs)).toBe(1);
    }
    await nextSecond();
    await Bun.sleep(600);
  } finally {
    process.kill(worker, "SIGCONT");
  }
  for (const [number, poll] of polls.entries()) {
    const { status, body, fields } = await poll.answer();
    poll.close();
    if (status === 200) expect(body.toString()).toContain(`owed${number}`);
    else {
      expect(status).toBe(304);
      const headers = {
        "If-Modified-Since": fields.get("last-modified") ?? "",
        "If-None-Match": fields.get("etag") ?? "",
      };
      const next = await ask(server.port, `/lp/owed${number}`, { headers });
      expect(next.body.toString()).toContain(`owed${number}`);
    }
  }
});
