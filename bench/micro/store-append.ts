// Store: one append (lock, allocate, copy, link, ring entry) by message size, to a channel that keeps 100
// messages, so that each append also drops the oldest: the steady state of a busy channel.

import { bench, do_not_optimize, run } from "mitata";
import { type Arguments, NOW_MS, SIZES, temporaryStore, text } from "./samples.ts";

const store = temporaryStore(100);

bench("append $size bytes", function* (state: Arguments) {
  const size: number = state.get("size");
  const data = text(size);
  const index = store.open(text(8 + String(size).length), NOW_MS / 1000);
  const incarnation = store.incarnation(index);
  yield () => {
    const id = store.append(index, incarnation, data, null, null, true, NOW_MS);
    if (id <= 0) throw new Error(`append answered ${id}`);
    do_not_optimize(id);
  };
}).args("size", SIZES);

await run({ throw: true });
