/**
 * A worker that is killed with the lock in its hand: `dying-process.ts <store> <fault point>`. Appends three
 * messages, counts them as acknowledged, then kills itself with SIGKILL at the given point of the operation
 * that leads there.
 */

import { Counter } from "../../src/store/counters.ts";
import type { FaultPoint } from "../../src/store/memory/arena.ts";
import { attachStore } from "../../src/store/opening.ts";
import { makePayload } from "./payload.ts";
import { RACE_POLICY, raceName } from "./race-setting.ts";

const [path = "", point = ""] = process.argv.slice(2) as [string, FaultPoint];
/** The last append comes when the first three have expired, so that it drops one. */
const evicts = point === "evict-unstamped";
const store = attachStore(path, { ...RACE_POLICY, messageTtlSec: evicts ? 1 : RACE_POLICY.messageTtlSec });
const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
const nowMs = Date.now();
const index = store.open(raceName(0), Math.floor(nowMs / 1000));
const incarnation = store.incarnation(index);
store.subscribers.add(slot, index, Math.floor(nowMs / 1000), incarnation);
for (let count = 0; count < 3; count++) {
  store.append(index, incarnation, makePayload(7, count), null, null, true, nowMs);
  store.counters.add(slot, Counter.PUBLISHED, 1);
}
store.arena.fault = (here) => {
  if (here === point) process.kill(process.pid, "SIGKILL");
};
if (point.startsWith("open")) store.open(raceName(1), Math.floor(nowMs / 1000));
else if (point.startsWith("delete") || point === "retire-stated")
  store.deleteChannel(raceName(0), raceName(0), nowMs);
else store.append(index, incarnation, makePayload(7, 3), null, null, true, evicts ? nowMs + 5000 : nowMs);
throw new Error(`${point} was not met`);
