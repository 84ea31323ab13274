/**
 * A worker that sleeps whenever it can and has no other alarm than its bell: `sleeper-process.ts <store>
 * <messages>`. A publish that it slept through would leave it, and the publisher that waits for its cursor,
 * waiting for ever.
 */
import { Doorbell } from "../../src/store/message/doorbell.ts";
import { attachStore } from "../../src/store/opening.ts";
import { RACE_POLICY } from "./race-setting.ts";

const [path = "", messages = "0"] = process.argv.slice(2);
const store = attachStore(path, RACE_POLICY);
const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
const first = store.head();
let sleeps = 0;
const bell = new Doorbell(path, slot, pump);
bell.listen();

function pump(): void {
  let cursor: number;
  do {
    cursor = store.head();
    store.workers.setCursor(slot, cursor);
    // The work between the look at the head and the decision to sleep: publishes are to fall in here.
    for (let spin = 0; spin < (sleeps * 7919) % 5000; spin++) store.workers.slotPid(slot);
  } while (!store.workers.beginSleep(slot, cursor));
  sleeps++;
  if (((cursor - first) | 0) < Number(messages)) return;
  bell.close();
  process.stdout.write(String(sleeps));
}

process.stdout.write("ready\n");
pump();
