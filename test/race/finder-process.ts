/**
 * Tight loops over what is read without the lock: `finder-process.ts <store> <find|ring> <rounds>`. `find`
 * looks up the first race channel, and judges the answers for which the cursor of slot 0 was the same even
 * number before and after: then the channel lived all the time. `ring` reads the newest ring entries, where
 * even serials belong to the first race channel and odd ones to the second. Prints how often the answer was
 * wrong.
 */
import { slotWord } from "../../src/store/memory/arena.ts";
import { SLOT_CURSOR } from "../../src/store/memory/layout.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { attachStore } from "../../src/store/opening.ts";
import { RACE_POLICY, raceName } from "./race-setting.ts";

const [path = "", what = "find", rounds = "0"] = process.argv.slice(2);
const store = attachStore(path, RACE_POLICY);
const name = raceName(0);
const phaseWord = slotWord(store.arena.layout, 0) + SLOT_CURSOR;
const [even, odd] = [store.find(raceName(0)), store.find(raceName(1))];
const entry = new RingEntry();
let wrong = 0;
let checked = 0;
process.stdout.write("ready\n");

function findStable(): void {
  const before = Atomics.load(store.arena.u32, phaseWord);
  const found = store.find(name);
  if (before % 2 === 1 || Atomics.load(store.arena.u32, phaseWord) !== before) return;
  checked++;
  if (found < 0) wrong++;
}

function readRing(): void {
  const head = store.head();
  for (let back = 1; back <= 3; back++) {
    const serial = head - back;
    if (serial < 1 || !store.entry(serial, entry)) continue;
    checked++;
    if (entry.channel !== (serial % 2 === 0 ? even : odd)) wrong++;
  }
}

for (let round = 0; round < Number(rounds); round++) {
  if (what === "find") findStable();
  else readRing();
  if (round % 5000 === 0) await Bun.sleep(0);
}
process.stdout.write(JSON.stringify({ wrong, checked }));
