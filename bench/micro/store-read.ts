// Store: what a worker does per message (ring entry, then a validated copy of the message), and the replay of the last
// 100 messages of a channel to a newcomer.

import { bench, run } from "mitata";
import { Message } from "../../src/store/message-view.ts";
import { RefList } from "../../src/store/refs.ts";
import { RingEntry } from "../../src/store/ring.ts";
import { NOW_MS, SIZES, temporaryStore, text } from "./samples.ts";

const REPLAY = 100;
const store = temporaryStore(REPLAY);
const message = new Message();

for (const size of SIZES) {
  const index = store.open(text(8 + String(size).length), NOW_MS / 1000);
  const incarnation = store.incarnation(index);
  const data = text(size);
  for (let n = 0; n < REPLAY; n++) store.append(index, incarnation, data, null, null, true, NOW_MS);
  const refs = new RefList();
  const found = store.collectLast(index, incarnation, REPLAY, refs);
  if (found !== REPLAY) throw new Error(`collectLast found ${found} of ${REPLAY}`);
  bench(`read ${size} bytes`, () => {
    if (!store.read(refs.block(0), refs.stamp(0), message)) throw new Error("the message is gone");
  });
  bench(`collect and read the last ${REPLAY} of ${size} bytes`, () => {
    refs.clear();
    store.collectLast(index, incarnation, REPLAY, refs);
    for (let at = 0; at < refs.length; at++) store.read(refs.block(at), refs.stamp(at), message);
  });
}

const entry = new RingEntry();
const last = store.head() - 1;
bench("ring entry", () => {
  if (!store.entry(last, entry)) throw new Error("the ring went round");
});

await run();
