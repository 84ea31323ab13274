/**
 * One publisher: `writer-process.ts <store> <number> <messages> <stored|mixed|limited>`. Appends to the race
 * channels in turn, those of an even number TOGETHER at a time, and counts each acknowledged message in its
 * slot, where the test finds it even after a kill -9.
 */
import { Counter } from "../../src/store/counters.ts";
import { attachStore } from "../../src/store/opening.ts";
import { BUSY } from "../../src/store/outcome.ts";
import { entryOf } from "../store/fixture.ts";
import { makePayload } from "./payload.ts";
import { RACE_CHANNELS, RACE_POLICY, raceName, TOGETHER } from "./race-setting.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const [path = "", writer = "0", messages = "0", kind = "stored"] = process.argv.slice(2);
const maxStoredPerChannel = kind === "limited" ? 40 : 0;
const store = attachStore(path, { ...RACE_POLICY, maxStoredPerChannel });
const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
if (slot < 0) throw new Error("no slot is free");

const together = Number(writer) % 2 === 0 ? TOGETHER : 1;
for (let count = 0; count < Number(messages); ) {
  const turn = count / together;
  const payloads = Array.from({ length: together }, (_, nth) => makePayload(Number(writer), count + nth));
  const stored = kind === "stored" || turn % 3 > 0;
  for (let settled = 0; settled < together; ) {
    const nowMs = Date.now();
    const index = store.open(raceName(turn % RACE_CHANNELS), Math.floor(nowMs / 1000));
    if (index === BUSY) continue;
    if (index < 0) throw new Error(`open answered ${index}`);
    const incarnation = store.incarnation(index);
    const added = append(index, incarnation, payloads.slice(settled), stored, nowMs);
    settled += added;
    store.counters.add(slot, Counter.PUBLISHED, added);
  }
  store.workers.setCursor(slot, store.head());
  count += together;
  // Lets the readers breathe, so that they are lapped sometimes and not always.
  if (count % 64 === 0) await Bun.sleep(0);
}
process.stdout.write("done");

/** How many are in: none while another process has the lock, or when the channel has just gone. */
function append(index: number, incarnation: number, data: Bytes[], stored: boolean, nowMs: number): number {
  const [first] = data;
  if (first === undefined) return 0;
  if (together > 1) {
    const entries = data.map((one) => entryOf({ index, incarnation }, one, stored));
    const count = store.appendAll(entries, 0, nowMs);
    if (count !== BUSY && entries.slice(0, count).some(({ outcome }) => outcome <= 0))
      throw new Error("appendAll refused a message");
    return Math.max(0, count);
  }
  const id = store.append(index, incarnation, first, null, null, stored, nowMs);
  if (id < 0 && id !== BUSY) throw new Error(`append answered ${id}`);
  return id > 0 ? 1 : 0;
}
