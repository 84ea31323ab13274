/**
 * The three ways to publish, where the store's lists may prove damaged in the middle of it: the lists are
 * made anew and the call is done again, unless it had come far enough to be finished by the repair. Called by
 * Store. No closures here: this is the way of every message.
 */
import type { Marks } from "../../message.ts";
import { lastIdOf } from "../channel/channels.ts";
import type { Arena } from "../memory/arena.ts";
import type { StorePolicy } from "../policy.ts";
import { mendAfter } from "../recovery/damage.ts";
import { appendAll, atHand, type Entry, settleAs, UNSETTLED } from "./append-all.ts";
import { appendMessage, deleteChannel } from "./publish.ts";
import { nextSerial } from "./ring.ts";

type Bytes = Uint8Array;

export function appendMended(
  arena: Arena,
  policy: StorePolicy,
  index: number,
  life: number,
  data: Bytes,
  id: Bytes | null,
  type: Bytes | null,
  stored: boolean,
  nowMs: number,
  marks: Marks | null,
): number {
  const before = nextSerial(arena);
  try {
    return appendMessage(arena, policy, index, life, data, id, type, stored, nowMs, false, null, marks);
  } catch (error) {
    if (mendAfter(arena, error, before) > 0) return lastIdOf(arena, index);
    return appendMessage(arena, policy, index, life, data, id, type, stored, nowMs, false, null, marks);
  }
}

/** The entries that met the damage are settled by the repair, or done again by the next call. */
export function appendAllMended(
  arena: Arena,
  policy: StorePolicy,
  entries: readonly Entry[],
  from: number,
  nowMs: number,
): number {
  try {
    return appendAll(arena, policy, entries, from, nowMs);
  } catch (error) {
    let at = from;
    while (entries[at] !== undefined && entries[at]?.outcome !== UNSETTLED) at++;
    for (let left = mendAfter(arena, error, atHand.serial), { id } = atHand; left > 0; left--, id++, at++) {
      const entry = entries[at];
      if (entry !== undefined) settleAs(arena, entry, id);
    }
    return at - from;
  }
}

export function deleteMended(
  arena: Arena,
  policy: StorePolicy,
  name: Bytes,
  text: Bytes,
  nowMs: number,
): number {
  const before = nextSerial(arena);
  try {
    return deleteChannel(arena, policy, name, text, nowMs);
  } catch (error) {
    return mendAfter(arena, error, before) > 0 ? 1 : deleteChannel(arena, policy, name, text, nowMs);
  }
}
