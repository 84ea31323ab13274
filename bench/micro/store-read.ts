// Store: what a worker does per message (ring entry, then a validated copy of the message), and the replay of
// the last 100 messages of a channel to a newcomer.

import { bench, do_not_optimize, run } from "mitata";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { type Arguments, NOW_MS, SIZES, temporaryStore, text } from "./samples.ts";

const REPLAY = 100;
const store = temporaryStore(REPLAY);
const message = new Message();

/** A channel with the messages that are read. */
function filled(size: number): ChannelRef {
  const ref = new ChannelRef();
  const index = store.open(text(8 + String(size).length), NOW_MS / 1000, ref);
  const data = text(size);
  for (let n = 0; n < REPLAY; n++) store.append(index, ref.incarnation, data, null, null, true, NOW_MS);
  return ref;
}

bench("read $size bytes", function* (state: Arguments) {
  const { index, incarnation } = filled(state.get("size"));
  if (store.history.reader(index, incarnation, 0).next(message) !== FOUND) throw new Error("nothing to read");
  const { block, stamp } = message;
  yield () => {
    if (!store.history.read(block, stamp, message)) throw new Error("the message is gone");
    do_not_optimize(message);
  };
}).args("size", SIZES);

bench(`a Reader over the last ${REPLAY} of $size bytes`, function* (state: Arguments) {
  const { index, incarnation } = filled(state.get("size"));
  yield () => {
    const after = store.history.beforeLastStored(index, incarnation, REPLAY, 0);
    const reader = store.history.reader(index, incarnation, after);
    let found = 0;
    for (; reader.next(message) === FOUND; found++) reader.accept(message);
    if (found !== REPLAY) throw new Error(`${found} of ${REPLAY} found`);
    do_not_optimize(message);
  };
}).args("size", SIZES);

const entry = new RingEntry();
bench("ring entry", function* () {
  const last = store.head() - 1;
  yield () => {
    if (!store.entry(last, entry)) throw new Error("the ring went round");
    do_not_optimize(entry);
  };
});

await run({ throw: true });
