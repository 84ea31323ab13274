/** The doorbell over processes: no publish is slept through, however closely sleep and publish meet. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { slotWord } from "../../src/store/memory/arena.ts";
import { SLOT_CURSOR } from "../../src/store/memory/layout.ts";
import { Doorbell } from "../../src/store/message/doorbell.ts";
import { openStore } from "../../src/store/opening.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { start, stopAll } from "./processes.ts";
import { RACE_POLICY, raceName } from "./race-setting.ts";

afterEach(stopAll);
afterAll(removeTempFolders);

test("a worker that only wakes by its bell sees every publish", async () => {
  const messages = 1500;
  const shape = smallShape({ ringSize: 64 });
  const { store } = openStore(shape, RACE_POLICY);
  const sleeper = start("sleeper-process.ts", shape.path, messages);
  const output = sleeper.stdout.getReader();
  await output.read();
  const slot = store.workers.claimSlot(process.pid, 1);
  const cursorWord = slotWord(store.arena.layout, store.workers.slotOf(sleeper.pid)) + SLOT_CURSOR;
  const bell = new Doorbell(shape.path, slot, () => undefined);
  let rings = 0;
  const ring = (target: number): void => {
    rings++;
    bell.ring(target);
  };
  const index = store.open(raceName(0), 1);
  for (let count = 0; count < messages; count++) {
    store.append(index, store.incarnation(index), raceName(1), null, null, true, Date.now());
    store.workers.ringOthers(slot, ring);
    // Each publish is a trial of its own: without a wake-up for this one nobody else would wake the sleeper.
    const deadline = performance.now() + 2000;
    while (Atomics.load(store.arena.u32, cursorWord) !== store.head()) {
      if (performance.now() > deadline) throw new Error(`publish ${count} was slept through`);
      await Bun.sleep(0);
    }
  }
  const { value } = await output.read();
  // That the path was taken; how often a sleeper really sleeps between two publishes is the scheduler's
  // affair.
  expect(Number(Buffer.from(value ?? []).toString())).toBeGreaterThan(0);
  // Publishes that met a sleeper rang, once each; those that met it awake did not have to.
  expect(rings).toBeGreaterThan(50);
  expect(rings).toBeLessThanOrEqual(messages);
  expect(bell.failures).toBe(0);
  bell.close();
}, 20_000);
