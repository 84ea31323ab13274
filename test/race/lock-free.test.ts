/** Readers without the lock against a writer that does nothing but what disturbs them most. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { hashName } from "../../src/store/channel/names.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { type Helper, start, stopAll } from "./processes.ts";
import { RACE_POLICY, raceName } from "./race-setting.ts";

afterEach(stopAll);
afterAll(removeTempFolders);

const encoder = new TextEncoder();

/** Runs `disturb` in this process for as long as the finder works; what the finder found. */
async function against(finder: Helper, disturb: () => void): Promise<Finding> {
  const output = finder.stdout.getReader();
  await output.read();
  let ended = false;
  const result = output.read().then(({ value }) => {
    ended = true;
    return JSON.parse(Buffer.from(value ?? []).toString()) as Finding;
  });
  while (!ended) {
    for (let turn = 0; turn < 200; turn++) disturb();
    await Bun.sleep(0);
  }
  return result;
}

interface Finding {
  wrong: number;
  checked: number;
}

/**
 * Names whose place in the hash table is the same as that of the first race channel: all of them form one
 * run.
 */
function namesBeside(store: Store, count: number): Uint8Array[] {
  const { arena } = store;
  const placeOf = (name: Uint8Array): number => hashName(arena, name) & (arena.layout.hashSize - 1);
  const home = placeOf(raceName(0));
  const names: Uint8Array[] = [];
  for (let number = 0; names.length < count; number++) {
    const name = encoder.encode(`noise ${number}`);
    if (placeOf(name) === home) names.push(name);
  }
  return names;
}

test("a living name is found at every moment, while the removal of others moves its entry", async () => {
  const shape = smallShape({ channels: 64 });
  const { store } = openStore(shape, RACE_POLICY);
  store.workers.claimSlot(process.pid, 1);
  const noise = namesBeside(store, 12);
  const name = raceName(0);
  let phase = 1;
  store.workers.setCursor(0, phase);
  let turn = 0;
  const finder = start("finder-process.ts", shape.path, "find", 1_000_000);
  const { wrong, checked } = await against(finder, () => {
    const nowMs = ++turn * 5000;
    // The entry looked for comes last in its run; each removal then moves it on towards its home.
    for (const other of noise) store.open(other, 1);
    if (store.open(name, 1) < 0) throw new Error("no room for the race channel");
    store.workers.setCursor(0, ++phase);
    for (const other of noise) store.deleteChannel(other, name, nowMs);
    store.workers.setCursor(0, ++phase);
    store.deleteChannel(name, name, nowMs);
    // Moves the records on, so that they can be used again.
    store.sweep(nowMs + 3000);
  });
  expect(turn).toBeGreaterThan(200);
  expect(checked).toBeGreaterThan(10_000);
  expect(wrong).toBe(0);
}, 20_000);

test("a ring entry is whole or refused, also right where the writer is", async () => {
  const shape = smallShape({ ringSize: 2 });
  const { store } = openStore(shape, { ...RACE_POLICY, maxStoredPerChannel: 1 });
  const [even, odd] = [store.open(raceName(0), 1), store.open(raceName(1), 1)];
  const data = raceName(0);
  const finder = start("finder-process.ts", shape.path, "ring", 1_000_000);
  const { wrong, checked } = await against(finder, () => {
    const index = store.head() % 2 === 0 ? even : odd;
    store.append(index, store.incarnation(index), data, null, null, true, 1000);
  });
  expect(checked).toBeGreaterThan(10_000);
  expect(wrong).toBe(0);
}, 20_000);
