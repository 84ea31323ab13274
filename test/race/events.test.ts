/**
 * The events channel over processes: whoever opens, joins, leaves, deletes and sweeps at once, what is told
 * could have been so.
 */
import { afterAll, afterEach, expect, test } from "bun:test";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { impossibleIn, told } from "../store/events-told.ts";
import { removeTempFolders, smallShape } from "../store/fixture.ts";
import { checkInvariants } from "../store/invariants.ts";
import { until } from "../until.ts";
import { finish, start, stopAll } from "./processes.ts";
import { EVENTS_POLICY } from "./race-setting.ts";

afterEach(stopAll);
afterAll(removeTempFolders);

const eventsStore = (): { store: Store; path: string } => {
  const shape = smallShape({ size: 32 << 20, ringSize: 1024, workerSlots: 8, channels: 1024 });
  return { store: openStore(shape, EVENTS_POLICY).store, path: shape.path };
};

const count = (events: readonly string[], what: string): number =>
  events.filter((event) => event.startsWith(`${what} `)).length;

test("three workers at once: each channel's events are a possible life, each told once", async () => {
  const { store, path } = eventsStore();
  const workers = [1, 2, 3].map((number) => start("events-process.ts", path, number, 9000));
  for (const worker of workers) expect(await finish(worker)).toBe("done");
  const events = told(store);
  expect(events.length).toBeGreaterThan(10_000);
  expect(events.length).toBe(store.publishedCount(store.eventsChannel));
  expect(impossibleIn(events)).toBeNull();
  expect(count(events, "subscribed")).toBe(count(events, "unsubscribed"));
  expect(count(events, "destroyed")).toBeGreaterThan(50);
  expect(checkInvariants(store.arena)).toEqual([]);
}, 30_000);

test("workers killed at any moment: what is told stays right, a death costs an event or two", async () => {
  const { store, path } = eventsStore();
  const deaths = 5;
  const survivor = start("events-process.ts", path, 1, 40_000);
  for (let death = 0; death < deaths; death++) {
    const victim = start("events-process.ts", path, 2 + death, 1e9);
    await until("it has begun", () => store.workers.slotOf(victim.pid) >= 0);
    const before = store.publishedCount(store.eventsChannel);
    const enough = before + 300 + death * 37;
    await until("it is in the middle", () => store.publishedCount(store.eventsChannel) > enough, 10_000, 1);
    victim.kill("SIGKILL");
    await victim.exited;
    store.upkeep.repairAfterDeath(victim.pid);
    const slot = store.workers.slotOf(victim.pid);
    store.workers.releaseSlot(slot);
  }
  expect(await finish(survivor)).toBe("done");
  const events = told(store);
  const most = 2 * deaths;
  expect(Math.abs(count(events, "subscribed") - count(events, "unsubscribed"))).toBeLessThanOrEqual(most);
  const { channels, channelsInDelete } = store.totals(Date.now());
  // All but the events channel itself.
  const untold = count(events, "created") - count(events, "destroyed") - (channels - 1 + channelsInDelete);
  expect(Math.abs(untold)).toBeLessThanOrEqual(most);
  expect(checkInvariants(store.arena)).toEqual([]);
}, 30_000);
