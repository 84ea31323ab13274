// One of several processes that count in one shared dictionary: `bun bench/load/dictionary-worker.ts PATH
// CALLS`; prints its nanoseconds a call, with the others at it.

import { SharedDictionary } from "../../src/store/dictionary/shared-dictionary.ts";
import { attachDictionary } from "../../src/store/dictionary/shared-file.ts";

const [path = "", calls = "0"] = process.argv.slice(2);
const dictionary = new SharedDictionary(attachDictionary(path), (fault) =>
  fault === "busy" ? new Error(fault) : fault,
);

/** On a machine with more to do than CPUs the other may wait for one while it has the lock. */
function count(times: number): void {
  for (let left = times; left > 0; ) {
    try {
      for (; left > 0; left--) dictionary.incr("contended");
    } catch (error) {
      if ((error as Error).message !== "busy") throw error;
    }
  }
}

count(50_000);
while (dictionary.get("go") === undefined) await Bun.sleep(1);
const startNs = Bun.nanoseconds();
count(Number(calls));
console.log(JSON.stringify({ ns: (Bun.nanoseconds() - startNs) / Number(calls) }));
