/**
 * A worker whose subscribers come and go in channels that are made, deleted, collected and made again:
 * `events-process.ts <store> <number>
 * <steps>`. Its clock is the ring's head, so all of them agree on it and a minute is short: sweeps come at
 * any moment of the others.
 */
import { attachStore } from "../../src/store/opening.ts";
import { randomBelow } from "../random.ts";
import { EVENTS_POLICY, RACE_CHANNELS, raceName } from "./race-setting.ts";

const EVENTS_A_SECOND = 512;

const [path = "", number = "1", steps = "0"] = process.argv.slice(2);
const store = attachStore(path, EVENTS_POLICY);
const slot = store.workers.claimSlot(process.pid, 1);
if (slot < 0) throw new Error("no slot is free");
const standing: { index: number; incarnation: number }[] = [];
const now = (): number => Math.floor(store.head() / EVENTS_A_SECOND);

const below = randomBelow(Number(number));

function join(): void {
  const index = store.open(raceName(below(RACE_CHANNELS)), now());
  if (index < 0) return;
  const incarnation = store.incarnation(index);
  store.subscribers.add(slot, index, now(), incarnation);
  store.subscribers.tellOf(index, incarnation, now() * 1000);
  standing.push({ index, incarnation });
}

function leave(): void {
  const [gone] = standing.splice(below(standing.length), 1);
  if (gone !== undefined) store.subscribers.remove(slot, gone.index, gone.incarnation, now() * 1000);
}

for (let step = 0; step < Number(steps); step++) {
  const what = below(20);
  if (what < 8) join();
  else if (what < 17) leave();
  else if (what === 17) store.deleteChannel(raceName(below(RACE_CHANNELS)), new Uint8Array(0), now() * 1000);
  else store.sweep(now() * 1000);
  // Lets the others have the one or two processors of a small machine.
  if (step % 256 === 255) await Bun.sleep(0);
}
while (standing.length > 0) leave();
process.stdout.write("done");
