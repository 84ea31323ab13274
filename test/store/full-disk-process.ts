/**
 * Opens the store `folder`/store with the given size, publishes one message, closes it in order and tells
 * what there was, as JSON. A process of its own for full-disk.test.ts: a file that was mapped keeps its room
 * until the process ends, whoever removes it.
 */
import { join } from "node:path";
import { openStore } from "../../src/store/opening.ts";
import type { OpenReport } from "../../src/store/store.ts";
import { Channel, POLICY } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

export interface Opened {
  readonly fault: string | null;
  readonly report: OpenReport | null;
  readonly epoch: number;
}

function open(folder: string, size: number): Opened {
  const shape = {
    path: join(folder, "store"),
    size,
    blockSize: 256,
    channels: 64,
    ringSize: 64,
    workerSlots: 4,
  };
  try {
    const { store, report } = openStore(shape, POLICY);
    new Channel(store, "a").append("kept");
    const [fault = null] = checkInvariants(store.arena);
    store.upkeep.markClean();
    store.close();
    return { fault, report, epoch: store.epoch };
  } catch (error) {
    return { fault: (error as Error).message, report: null, epoch: 0 };
  }
}

if (import.meta.main) {
  const [folder = "", size = ""] = process.argv.slice(2);
  console.log(JSON.stringify(open(folder, Number(size))));
}
