/**
 * Noise beside a race: `churn-process.ts <store>` creates, fills and deletes other channels, sweeps, and
 * looks up the race channels while their hash table entries move. Prints the names it did not find, as JSON,
 * when its input ends.
 */
import { attachStore } from "../../src/store/opening.ts";
import { RACE_CHANNELS, RACE_POLICY, raceName } from "./race-setting.ts";

const store = attachStore(process.argv[2] ?? "", RACE_POLICY);
const encoder = new TextEncoder();
const missing: string[] = [];
let running = true;
const ended = Bun.stdin.text().then(() => {
  running = false;
});

for (let turn = 0; running; turn++) {
  const nowMs = Date.now() + turn * 1000;
  const name = encoder.encode(`noise ${turn % 40}`);
  const index = store.open(name, Math.floor(nowMs / 1000));
  if (index >= 0) store.append(index, store.incarnation(index), name, null, null, true, Date.now());
  if (turn % 3 === 0) store.deleteChannel(encoder.encode(`noise ${(turn * 7) % 40}`), name, Date.now());
  // Fake seconds, so that records go through delete and trash and come back.
  if (turn % 10 === 0) store.sweep(nowMs - 300_000);
  for (let number = 0; number < RACE_CHANNELS; number++) {
    if (store.find(raceName(number)) < 0 && missing.length < 10) missing.push(`race ${number}`);
  }
  if (turn % 4 === 0) await Bun.sleep(1);
}
await ended;
process.stdout.write(JSON.stringify(missing));
