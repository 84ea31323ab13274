/**
 * Workers that die by kill -9, some of them holding the lock: what was acknowledged stays, and the others go
 * on.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { Counter } from "../../src/store/counters.ts";
import { FAULT_POINTS } from "../../src/store/memory/arena.ts";
import { END } from "../../src/store/message/reader.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { readOn, removeTempFolders, smallShape } from "../store/fixture.ts";
import { checkInvariants } from "../store/invariants.ts";
import { until } from "../until.ts";
import { makePayload, provePayload } from "./payload.ts";
import { finish, type Helper, start, stopAll } from "./processes.ts";
import { RACE_CHANNELS, RACE_POLICY, type ReaderResult, raceName, TOGETHER } from "./race-setting.ts";

afterEach(stopAll);
afterAll(removeTempFolders);

/** What main does about a worker that ended. True if it held the lock. */
function bury(store: Store, worker: Helper): boolean {
  const heldLock = store.upkeep.repairAfterDeath(worker.pid);
  const slot = store.workers.slotOf(worker.pid);
  if (slot >= 0) store.workers.releaseSlot(slot);
  return heldLock;
}

/** Numbers of the whole messages in a channel, in order. */
function countsIn(store: Store, number: number): number[] {
  const index = store.find(raceName(number));
  if (index < 0) return [];
  const counts: number[] = [];
  const outcome = readOn(store, index, store.incarnation(index), 0, (message) => {
    const proof = provePayload(message.bytes, message.dataOffset, message.dataLength);
    expect(proof.whole).toBe(true);
    return counts.push(proof.count) > 0;
  });
  expect(outcome).toBe(END);
  return counts;
}

describe("kill -9 with the lock held", () => {
  const expected: Record<string, number[]> = {
    "append-room": [0, 1, 2],
    "append-allocated": [0, 1, 2],
    "append-written": [0, 1, 2],
    "append-taken": [0, 1, 2, 3],
    "append-stamped": [0, 1, 2, 3],
    "append-linked": [0, 1, 2, 3],
    "append-counted": [0, 1, 2, 3],
    "append-published": [0, 1, 2, 3],
    // The fourth was published; the first had expired and was dropped.
    "evict-unstamped": [1, 2, 3],
    "delete-stamped": [],
    "retire-stated": [],
    "delete-retired": [],
    "open-named": [0, 1, 2],
    "open-stated": [0, 1, 2],
    "open-live": [0, 1, 2],
    "open-listed": [0, 1, 2],
  };
  const points = FAULT_POINTS.filter((point) => point !== "collect-retired");

  test.each(points)("at %s", async (point) => {
    const shape = smallShape();
    const { store } = openStore(shape, RACE_POLICY);
    const worker = start("dying-process.ts", shape.path, point);
    await worker.exited;
    expect(worker.signalCode).toBe("SIGKILL");
    const slot = store.workers.slotOf(worker.pid);
    expect(store.counters.get(slot, Counter.PUBLISHED)).toBe(3);
    expect(bury(store, worker)).toBe(true);
    expect(checkInvariants(store.arena)).toEqual([]);
    expect(countsIn(store, 0)).toEqual(expected[point]!);
    const index = store.open(raceName(0), 1);
    expect(store.subscribers.countOf(index)).toBe(0);
    const id = store.append(index, store.incarnation(index), makePayload(1, 9), null, null, true, Date.now());
    expect(id).toBe(expected[point]!.length === 0 ? 1 : store.publishedCount(index));
    expect(countsIn(store, 0).at(-1)).toBe(9);
  });
});

test("writers killed at random: the others lose nothing, every reader knows of every message", async () => {
  const [messages, deaths] = [12_000, 6];
  const shape = smallShape({ size: 32 << 20, ringSize: 65536, workerSlots: 8, channels: 128 });
  const { store } = openStore(shape, RACE_POLICY);
  for (let number = 0; number < RACE_CHANNELS; number++) store.open(raceName(number), 1);
  const survivor = start("writer-process.ts", shape.path, 1, messages, "mixed");
  let acknowledged = 0;
  for (let death = 0; death < deaths; death++) {
    const victim = start("writer-process.ts", shape.path, 2 + death, 1e9, "mixed");
    const isAmidst = () => acknowledgedBy(store, victim) > 50 + death * 13;
    await until("it is in the middle", isAmidst, 10_000, 1);
    victim.kill("SIGKILL");
    await victim.exited;
    acknowledged += acknowledgedBy(store, victim);
    bury(store, victim);
  }
  expect(await finish(survivor)).toBe("done");
  const { published } = store.totals(Date.now());
  // Each death may leave what was published and not yet acknowledged.
  expect(published).toBeGreaterThanOrEqual(messages + acknowledged);
  expect(published).toBeLessThanOrEqual(messages + acknowledged + deaths * TOGETHER);
  expect(checkInvariants(store.arena)).toEqual([]);
  const reader = start("reader-process.ts", shape.path, published);
  const { faults, delivered } = JSON.parse(await finish(reader)) as ReaderResult;
  expect({ faults, delivered }).toEqual({ faults: [], delivered: published });
}, 30_000);

function acknowledgedBy(store: Store, worker: Helper): number {
  const slot = store.workers.slotOf(worker.pid);
  return slot < 0 ? 0 : store.counters.get(slot, Counter.PUBLISHED);
}
