// Store: what a worker does per message (ring entry, then a validated copy of the message), and the replay of
// the last 100 messages of a channel to a newcomer.

import { bench, run } from "mitata";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { NOW_MS, SIZES, temporaryStore, text } from "./samples.ts";

const REPLAY = 100;
const store = temporaryStore(REPLAY);
const message = new Message();

for (const size of SIZES) {
  const index = store.open(text(8 + String(size).length), NOW_MS / 1000);
  const incarnation = store.incarnation(index);
  const data = text(size);
  for (let n = 0; n < REPLAY; n++) store.append(index, incarnation, data, null, null, true, NOW_MS);
  if (store.reader(index, incarnation, 0).next(message) !== FOUND) throw new Error("nothing to read");
  const { block, stamp } = message;
  bench(`read ${size} bytes`, () => {
    if (!store.read(block, stamp, message)) throw new Error("the message is gone");
  });
  bench(`a Reader over the last ${REPLAY} of ${size} bytes`, () => {
    const reader = store.reader(index, incarnation, store.beforeLastStored(index, incarnation, REPLAY, 0));
    let found = 0;
    for (; reader.next(message) === FOUND; found++) reader.accept(message);
    if (found !== REPLAY) throw new Error(`${found} of ${REPLAY} found`);
  });
}

const entry = new RingEntry();
const last = store.head() - 1;
bench("ring entry", () => {
  if (!store.entry(last, entry)) throw new Error("the ring went round");
});

await run();
