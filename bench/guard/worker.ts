// One worker in a process of its own, from source, whose heap can be asked for: what the guard counts in.
// Started by counted-worker.ts as `bun bench/guard/worker.ts CONFIG STORE_FOLDER`; commands are lines on
// stdin, each is answered with one line of JSON:
//   heap      collects garbage until nothing goes any more -> {"objects","bytes"}
//   growth    what the heap has taken from the system      -> {"bytes"}; without a collector
//                                                          (BUN_JSC_useGC=0) all that was ever allocated
//   encodes   how often a message was encoded so far       -> {"count"}
// Counting inside means that nothing of this is in the product: encoders are counted by a wrapper around
// their methods.

import { heapStats } from "bun:jsc";
import { join } from "node:path";
import { startWorker } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openStore } from "../../src/store/opening.ts";
import * as formats from "../../src/subscribe/formats.ts";
import * as ownFormats from "../../src/subscribe/own-formats.ts";
import { storePolicy, storeShape } from "../../src/supervisor/store/store-settings.ts";

const [file = "", folder = ""] = process.argv.slice(2);
const STAYS = 4;
const TURN_MS = 10;
/** Smaller steps than this are noise. */
const LESS = 0.999;

let encodes = 0;
/** Formats that hold another one call it; only the outermost call is an encoding. */
let depth = 0;
for (const format of Object.values({ ...formats, ...ownFormats })) {
  const { prototype } = format;
  const plain: (...parameters: never[]) => unknown = prototype.message;
  Object.assign(prototype, {
    message(...parameters: never[]): unknown {
      if (depth === 0) encodes++;
      depth++;
      try {
        return plain.apply(this, parameters);
      } finally {
        depth--;
      }
    },
  });
}

const loaded = loadConfig({ file });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
const { config } = loaded;
const storePath = join(folder, "store");
const { store } = openStore(storeShape(config, storePath), storePolicy(config));
const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
const worker = startWorker({ config, store, slot, storePath, maxConnections: 0 });
console.log("{}");

/**
 * Finalizers and weak references let go of more only in the next turns and collections: the least counts,
 * once it stays.
 */
async function heap(): Promise<object> {
  let [objects, bytes] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let since = 0; since < STAYS; since++) {
    Bun.gc(true);
    await Bun.sleep(TURN_MS);
    const { objectCount, heapSize, extraMemorySize } = heapStats();
    if (objectCount < objects || heapSize + extraMemorySize < bytes * LESS) since = 0;
    objects = Math.min(objects, objectCount);
    bytes = Math.min(bytes, heapSize + extraMemorySize);
  }
  return { objects, bytes };
}

for await (const line of console) {
  if (line === "heap") console.log(JSON.stringify(await heap()));
  else if (line === "growth") console.log(JSON.stringify({ bytes: heapStats().heapCapacity }));
  else if (line === "encodes") console.log(JSON.stringify({ count: encodes }));
}
worker.stop();
store.close();
process.exit(0);
