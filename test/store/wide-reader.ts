/** The other thread of wide-counters.test.ts: reads a counter until it is told that the writer is done. */
import { wideShared } from "../../src/store/memory/arena.ts";

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const u32 = new Uint32Array(data);
  const torn: number[] = [];
  let last = 0;
  let reads = 0;
  // Word 2: this thread reads; word 3: the writer is done.
  Atomics.store(u32, 2, 1);
  while (Atomics.load(u32, 3) === 0) {
    const value = wideShared(u32, 0);
    const low = value % 2 ** 32;
    if (value < last || (low !== 0 && low !== 2 ** 32 - 1)) torn.push(value);
    last = value;
    reads++;
  }
  self.postMessage({ reads, torn: torn.slice(0, 10) });
};
