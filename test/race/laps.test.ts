/** Writers and readers in processes of their own over one small store: what only real concurrency shows. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { openStore } from "../../src/store/opening.ts";
import type { Store, StoreShape } from "../../src/store/store.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { checkInvariants } from "../store/invariants.ts";
import { finish, type Helper, start, stopAll } from "./processes.ts";
import { RACE_CHANNELS, RACE_POLICY, type ReaderResult, raceName } from "./race-setting.ts";

afterEach(stopAll);
afterAll(removeTempFolders);

interface Race {
  store: Store;
  results: ReaderResult[];
}

/** Two writers, two readers, and noise; opened channels first, so that every reader sees every message. */
async function race(shape: StoreShape, messages: number, kind: "mixed" | "limited"): Promise<Race> {
  const { store } = openStore(shape, RACE_POLICY);
  for (let number = 0; number < RACE_CHANNELS; number++)
    store.open(raceName(number), Math.floor(Date.now() / 1000));
  const readers = [1, 2].map(() => start("reader-process.ts", shape.path, 2 * messages));
  const noise = start("churn-process.ts", shape.path);
  const writers = [1, 2].map((writer) => start("writer-process.ts", shape.path, writer, messages, kind));
  for (const writer of writers) expect(await finish(writer)).toBe("done");
  const results = await Promise.all(readers.map(resultOf));
  expect(JSON.parse(await finish(noise))).toEqual([]);
  expect(checkInvariants(store.arena)).toEqual([]);
  return { store, results };
}

const resultOf = async (reader: Helper): Promise<ReaderResult> =>
  JSON.parse(await finish(reader)) as ReaderResult;

test("a ring and store large enough: every reader gets every message, once and in order", async () => {
  const messages = 8000;
  const shape = smallShape({ size: 32 << 20, ringSize: 65536, workerSlots: 8, channels: 128 });
  const { store, results } = await race(shape, messages, "mixed");
  for (const { faults, delivered, missed } of results) {
    expect(faults).toEqual([]);
    expect([delivered, missed]).toEqual([2 * messages, 0]);
  }
  expect(store.totals(Date.now()).evicted).toBe(0);
}, 30_000);

test("many laps around a small ring in a full store: each message comes or is known as missed", async () => {
  const messages = 60_000;
  const shape = smallShape({ size: 256 * 1024, ringSize: 64, workerSlots: 8, channels: 128 });
  const { store, results } = await race(shape, messages, "mixed");
  expect(store.head() / 64).toBeGreaterThan(500);
  for (const { faults, delivered, missed, walks } of results) {
    expect(faults).toEqual([]);
    expect(delivered + missed).toBe(2 * messages);
    expect(walks).toBeGreaterThan(0);
  }
  // The race took place: readers were lapped, and messages had to go under them.
  expect(results.some(({ lapped }) => lapped > 0)).toBe(true);
  expect(store.totals(Date.now()).evicted).toBeGreaterThan(0);
}, 30_000);

test("writers of many at once, who put the oldest out: each message comes or is missed", async () => {
  const messages = 16_000;
  const shape = smallShape({ size: 16 << 20, ringSize: 4096, workerSlots: 8, channels: 128 });
  const { store, results } = await race(shape, messages, "limited");
  for (const { faults, delivered, missed } of results) {
    expect(faults).toEqual([]);
    expect(delivered + missed).toBe(2 * messages);
  }
  for (let number = 0; number < RACE_CHANNELS; number++)
    expect(store.storedCount(store.find(raceName(number)))).toBe(40);
}, 30_000);
