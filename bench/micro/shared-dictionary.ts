// Shared dictionary: what each call costs in one process, by kind and size of the value.

import { rmSync } from "node:fs";
import { bench, run } from "mitata";
import { SharedDictionary } from "../../src/store/dictionary/shared-dictionary.ts";
import { openDictionary } from "../../src/store/dictionary/shared-file.ts";
import { SIZES } from "./samples.ts";

const path = `/dev/shm/sluice-bench-dictionary-${process.pid}`;
const { arena } = openDictionary(path, 16 * 1024 ** 2, false);
rmSync(path);
const dictionary = new SharedDictionary(arena, (fault) => (fault === "busy" ? new Error(fault) : fault));

dictionary.set("number", 1);
bench("get a number", () => dictionary.get("number"));
bench("incr", () => dictionary.incr("number"));
bench("set a number", () => dictionary.set("number", 1));
bench("get what is not there", () => dictionary.get("nothing"));
for (const size of SIZES) {
  const text = "x".repeat(size);
  dictionary.set(`text ${size}`, text);
  bench(`get ${size} letters`, () => dictionary.get(`text ${size}`));
  bench(`set ${size} letters`, () => dictionary.set(`text ${size}`, text));
}
let at = 0;
bench("set in a full dictionary", () => dictionary.set(`key ${at++}`, at));

await run();
