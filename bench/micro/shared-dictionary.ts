// Shared dictionary: what each call costs in one process, by kind and size of the value.

import { rmSync } from "node:fs";
import { bench, do_not_optimize, group, run } from "mitata";
import { SharedDictionary } from "../../src/store/dictionary/shared-dictionary.ts";
import { openDictionary } from "../../src/store/dictionary/shared-file.ts";
import { type Arguments, SIZES } from "./samples.ts";

const path = `/dev/shm/sluice-bench-dictionary-${process.pid}`;
const { arena } = openDictionary(path, 16 * 1024 ** 2, false);
rmSync(path);
const dictionary = new SharedDictionary(arena, (fault) => (fault === "busy" ? new Error(fault) : fault));

dictionary.set("number", 1);
group("numbers", () => {
  bench("get", () => do_not_optimize(dictionary.get("number")));
  bench("incr", () => do_not_optimize(dictionary.incr("number")));
  bench("set", () => dictionary.set("number", 1));
  bench("get what is not there", () => do_not_optimize(dictionary.get("nothing")));
});
group("texts", () => {
  bench("get $size letters", function* (state: Arguments) {
    const key = `text ${state.get("size")}`;
    dictionary.set(key, "x".repeat(state.get("size")));
    yield () => do_not_optimize(dictionary.get(key));
  }).args("size", SIZES);
  bench("set $size letters", function* (state: Arguments) {
    const key = `text ${state.get("size")}`;
    const text = "x".repeat(state.get("size"));
    yield () => dictionary.set(key, text);
  }).args("size", SIZES);
});
let at = 0;
bench("set in a full dictionary", () => dictionary.set(`key ${at++}`, at));

await run({ throw: true });
