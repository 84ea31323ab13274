// Store: what main does when a worker died with the lock held, by store size, in full stores with half of
// their channel records in use: the repair itself, giving the dead worker's slot back (the longest turn of
// it), claiming one for the next. Beside it the whole walk, which is for stores that cannot be believed.
// `STORE_MIB="64 256"` takes other sizes. By hand, as a death has to come before each repair, and the longest
// of fifty is what counts, not a mean.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../src/store/opening.ts";
import { rebuild } from "../../src/store/recovery/recover.ts";
import type { Store } from "../../src/store/store.ts";
import { NOW_MS, POLICY, text } from "./samples.ts";

const SIZES_MIB = (process.env["STORE_MIB"] ?? "64 256 3072").split(" ").map(Number);
const DEATHS = 50;
const DATA = text(100);
const encoder = new TextEncoder();

for (const mib of SIZES_MIB) {
  const folder = mkdtempSync(join("/dev/shm", "sluice-micro-"));
  const rest = { blockSize: 256, channels: 0, ringSize: 65_536, workerSlots: 32 };
  const { store } = openStore({ path: join(folder, "store"), size: mib * 2 ** 20, ...rest }, POLICY);
  measure(store, mib);
  rmSync(folder, { recursive: true });
}

function measure(store: Store, mib: number): void {
  const channels = Math.floor(store.channelCapacity / 2);
  for (let at = 0; at < channels; at++) store.open(encoder.encode(`channel ${at}`), NOW_MS / 1000);
  for (let left = store.totals(NOW_MS).blocksTotal; left > 0; left--) append(store, left % channels);
  const longest = { repair: 0, release: 0, claim: 0 };
  for (let death = 0; death < DEATHS; death++) {
    const slot = timed(longest, "claim", () => store.workers.claimSlot(1, NOW_MS / 1000));
    dieAppending(store);
    timed(longest, "repair", () => store.upkeep.repairAfterDeath(process.pid));
    while (!timed(longest, "release", () => store.workers.releaseSlot(slot)));
  }
  const before = performance.now();
  rebuild(store.arena);
  const whole = performance.now() - before;
  const columns = Object.entries(longest).map(([what, ms]) => `${what} ${ms.toFixed(3)}`);
  console.log(
    `${mib} MiB, ${channels} channels, longest of ${DEATHS}, in ms: ` +
      `${columns.join("  ")}  whole ${whole.toFixed(0)}`,
  );
}

function append(store: Store, index: number): number {
  return store.append(index, store.incarnation(index), DATA, null, null, true, NOW_MS);
}

function dieAppending(store: Store): void {
  store.arena.fault = (point) => {
    if (point === "append-linked") throw new Error("died");
  };
  try {
    append(store, 0);
  } catch (error) {
    if (!(error instanceof Error && error.message === "died")) throw error;
  } finally {
    store.arena.fault = null;
  }
}

function timed<T>(longest: Record<string, number>, what: string, work: () => T): T {
  const start = performance.now();
  const result = work();
  longest[what] = Math.max(longest[what] ?? 0, performance.now() - start);
  return result;
}
