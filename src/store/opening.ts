/**
 * Opening the store: main makes or recovers the file, workers map it, a child mends it. What comes out is one
 * Store (store.ts) a process.
 */
import { adoptInternals } from "./channel/internal-channels.ts";
import { takeOver } from "./lock/lock.ts";
import { attachMembers, removeMembers } from "./members/members-file.ts";
import { makeMembers, setMembers } from "./members/members-of-store.ts";
import { dropPresenceEvents } from "./members/presence-events.ts";
import { attachFile, type OpenReport, openFile, type StoreShape } from "./memory/file.ts";
import * as events from "./message/events.ts";
import type { StorePolicy } from "./policy.ts";
import * as slots from "./slots.ts";
import { Store } from "./store.ts";

/**
 * Main: creates the store file, reopens it, recovers it after an unclean stop, or replaces it. Throws when it
 * cannot.
 */
export function openStore(
  shape: StoreShape,
  policy: StorePolicy,
  isFresh = false,
): { store: Store; report: OpenReport } {
  const { arena, report } = openFile(shape, isFresh);
  const nowSec = Math.floor(Date.now() / 1000);
  dropPresenceEvents(arena, nowSec);
  if (shape.members === undefined) removeMembers(shape.path);
  else makeMembers(arena, shape.members, nowSec);
  const goesOn = events.appointEventsChannel(arena, policy, nowSec);
  adoptInternals(arena, policy, nowSec);
  // Workers that were killed together with their main: nobody else tells of their subscribers' end.
  for (let slot = 0; slot < arena.layout.workerSlots; slot++) {
    const { channels } = arena.layout;
    for (let at = 0; goesOn && at < channels; )
      at = events.tellOfLost(arena, policy, slot, nowSec, at, channels);
    if (slots.slotPid(arena, slot) === 0) continue;
    slots.forgetSubscribers(arena, slot, 0, channels);
    slots.releaseSlot(arena, slot);
  }
  return { store: new Store(arena, policy, true), report };
}

/** Workers: maps a store that main has opened. Throws when there is none. */
export function attachStore(path: string, policy: StorePolicy): Store {
  const arena = attachFile(path);
  const { channels, workerSlots } = arena.layout;
  setMembers(arena, attachMembers(path, channels, workerSlots));
  return new Store(arena, policy, false);
}

/**
 * For a process of its own: the repair that makes every list anew, if this dead process still holds the lock.
 */
export function mendStore(path: string, deadPid: number): void {
  takeOver(attachFile(path), deadPid);
}
