/**
 * Connections full of requests, as in http1.test.ts, at the compiled binary and both of its listeners: each
 * comes to its end, no worker is lost by one, and the server goes on to answer. What is read is compared
 * there; on the native listener the reading is the runtime's. `FUZZ_SEED=n` repeats one connection, `FUZZ_MS`
 * sets how long it goes on otherwise.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";
import { octets } from "../listen/http1-fixture.ts";
import { Random } from "../random.ts";
import { connectionText, pieces } from "./http1-corpus.ts";

const BUDGET_MS = Number(process.env["FUZZ_MS"] ?? 1500);
const AT_ONCE = 32;
/** Some ask for a stream, which has no end: they are left after a while. */
const PATIENCE_MS = 300;

describe.each(["native", "wire"])("%s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: `listener = "${listener}"\n${layout()}` });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  async function sendAll(seed: number): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const ended = (): void => resolve();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port,
      socket: { data: () => undefined, close: ended, end: ended, error: ended },
    });
    const random = new Random(seed);
    const bytes = octets(connectionText(random));
    for (const piece of pieces(random, bytes)) {
      socket.write(piece);
      await Bun.sleep(0);
    }
    const patience = setTimeout(ended, PATIENCE_MS);
    await over;
    clearTimeout(patience);
    socket.terminate();
  }

  test("random connections cost no worker", async () => {
    const given = process.env["FUZZ_SEED"];
    const first = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
    const pids = await server.workerPids();
    const until = performance.now() + BUDGET_MS;
    let count = 0;
    do {
      const seeds = Array.from({ length: given === undefined ? AT_ONCE : 1 }, () => (first + count++) >>> 0);
      await Promise.all(seeds.map(sendAll));
      expect(await server.workerPids(), `FUZZ_SEED=${seeds[0]} to ${seeds.at(-1)}`).toEqual(pids);
    } while (given === undefined && performance.now() < until);
    expect((await server.publish("after", "x")).status).toBe(200);
    expect(server.log).not.toMatch(/ error /);
    console.log(`fuzz http1 ${listener}: ${count} connections from FUZZ_SEED=${first}`);
  }, 60_000);
});
