// Reading stored messages: a whole channel message by message, finding a place in it, and what a publisher of
// another channel waits in another process while ten Readers replay (percentiles; with and without them in
// one run).

import { bench, do_not_optimize, run } from "mitata";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { AT_PLACE, Sight } from "../../src/store/message/seek.ts";
import { attachStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { type Arguments, NOW_MS, POLICY, temporaryStoreAt, text } from "./samples.ts";

const COUNTS = [10_000, 200_000];
const READERS = 10;
const PUBLISH_MS = 3000;

function opened(store: Store, name: string): ChannelRef {
  const ref = new ChannelRef();
  store.open(new TextEncoder().encode(name), NOW_MS / 1000, ref);
  return ref;
}

/** The other process: publishes to a channel that nobody reads, and tells how long each took. */
async function publishElsewhere(path: string, label: string): Promise<void> {
  const store = attachStore(path, POLICY);
  const { index, incarnation } = opened(store, "other");
  const data = text(100);
  const tookUs: number[] = [];
  const endMs = performance.now() + PUBLISH_MS;
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    store.append(index, incarnation, data, null, null, true, Date.now());
    tookUs.push((performance.now() - beganMs) * 1000);
    await Bun.sleep(0);
  }
  tookUs.sort((left, right) => left - right);
  const at = (share: number): string => (tookUs[Math.floor((tookUs.length - 1) * share)] ?? 0).toFixed(1);
  console.log(
    `publishing elsewhere, ${label}: p50 ${at(0.5)} us, p99 ${at(0.99)} us, ` +
      `p99.9 ${at(0.999)} us, most ${at(1)} us`,
  );
}

async function publishersWait(path: string, label: string): Promise<void> {
  const child = Bun.spawn([process.execPath, import.meta.path, path, label], { stdout: "inherit" });
  let isOver = false;
  void child.exited.then(() => {
    isOver = true;
  });
  const store = attachStore(path, POLICY);
  const { index, incarnation } = opened(store, `c${COUNTS.at(-1)}`);
  const message = new Message();
  const readers = Array.from({ length: label === "ten readers" ? READERS : 0 }, () =>
    store.history.reader(index, incarnation, 0),
  );
  while (!isOver) {
    for (let i = 0; i < readers.length; i++) {
      for (let step = 0; step < 64; step++) {
        const reader = readers[i];
        if (reader?.next(message) === FOUND) reader.accept(message);
        else readers[i] = store.history.reader(index, incarnation, 0);
      }
    }
    await Bun.sleep(0);
  }
}

const [path, label] = process.argv.slice(2);
if (path !== undefined && label !== undefined) {
  await publishElsewhere(path, label);
  process.exit(0);
}

const { store, path: storePath } = temporaryStoreAt(0);
const message = new Message();
const sight = new Sight();
for (const count of COUNTS) {
  const { index, incarnation } = opened(store, `c${count}`);
  for (let n = 0; n < count; n++) store.append(index, incarnation, text(100), null, null, true, NOW_MS + n);
}
bench("replay of $count", function* (state: Arguments) {
  const count: number = state.get("count");
  const { index, incarnation } = opened(store, `c${count}`);
  yield () => {
    const reader = store.history.reader(index, incarnation, 0);
    let found = 0;
    for (; reader.next(message) === FOUND; found++) reader.accept(message);
    if (found !== count) throw new Error(`${found} of ${count} found`);
    do_not_optimize(message);
  };
}).args("count", COUNTS);
bench("the place after the first of $count", function* (state: Arguments) {
  const { index, incarnation } = opened(store, `c${state.get("count")}`);
  yield () => {
    if (store.history.reader(index, incarnation, 1).next(message) !== FOUND) throw new Error("not found");
    do_not_optimize(message);
  };
}).args("count", COUNTS);
bench("the place after a time in $count", function* (state: Arguments) {
  const count: number = state.get("count");
  const { index, incarnation } = opened(store, `c${count}`);
  // One a millisecond: half of them are older.
  const time = NOW_MS / 1000 + count / 2000;
  yield () => {
    const outcome = store.history.seekTime(index, incarnation, time, 0, sight);
    if (outcome !== AT_PLACE || sight.id !== count / 2 + 1) throw new Error(`found ${outcome}, ${sight.id}`);
    do_not_optimize(sight);
  };
}).args("count", COUNTS);
bench("the last 1000 of $count", function* (state: Arguments) {
  const count: number = state.get("count");
  const { index, incarnation } = opened(store, `c${count}`);
  yield () => {
    const place = store.history.beforeLastStored(index, incarnation, 1000, count);
    if (place !== count - 1000) throw new Error("not found");
    do_not_optimize(place);
  };
}).args("count", COUNTS);
await run({ throw: true });
await publishersWait(storePath, "no reader");
await publishersWait(storePath, "ten readers");
