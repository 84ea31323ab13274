/**
 * One publisher: `writer-process.ts <store> <number> <messages> <stored|mixed>`. Appends to the race channels
 * in turn and counts each acknowledged message in its slot, where the test finds it even after a kill -9.
 */
import { Counter } from "../../src/store/counters.ts";
import { attachStore } from "../../src/store/opening.ts";
import { BUSY } from "../../src/store/outcome.ts";
import { makePayload } from "./payload.ts";
import { RACE_CHANNELS, RACE_POLICY, raceName } from "./race-setting.ts";

const [path = "", writer = "0", messages = "0", kind = "stored"] = process.argv.slice(2);
const store = attachStore(path, RACE_POLICY);
const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
if (slot < 0) throw new Error("no slot is free");

for (let count = 0; count < Number(messages); count++) {
  const payload = makePayload(Number(writer), count);
  const stored = kind === "stored" || count % 3 > 0;
  for (;;) {
    const nowMs = Date.now();
    const index = store.open(raceName(count % RACE_CHANNELS), Math.floor(nowMs / 1000));
    if (index === BUSY) continue;
    if (index < 0) throw new Error(`open answered ${index}`);
    const id = store.append(index, store.incarnation(index), payload, null, null, stored, nowMs);
    if (id === BUSY) continue;
    if (id < 0) throw new Error(`append answered ${id}`);
    if (id > 0) break;
  }
  store.counters.add(slot, Counter.PUBLISHED, 1);
  store.workers.setCursor(slot, store.head());
  // Lets the readers breathe, so that they are lapped sometimes and not always.
  if (count % 64 === 63) await Bun.sleep(0);
}
process.stdout.write("done");
