/**
 * Events of a clustered node on their way to the log: the events channel is one for all nodes, and the log
 * gives its messages their places. They wait in the internal channel `events`, written under the lock of what
 * they tell of (events.ts), until the worker that reads the log has put them there
 * (cluster/events-forwarder.ts). What is more than a 32nd of the store is forgotten, oldest first, and said
 * in the log.
 *
 * A node tells of what happens on it: who comes to it and goes, and of channels that began with it. One that
 * it has only read of began elsewhere, and is told to end there as well.
 */

import { appendInternal, Internal, openInternal } from "../channel/internal-channels.ts";
import { type Arena, channelWord } from "../memory/arena.ts";
import { CX_TOLD } from "../memory/layout-cluster.ts";
import type { StorePolicy } from "../policy.ts";

const SHARE = 32;
const LEAST_BYTES = 64 * 1024;

/**
 * Whether the beginning of a channel, or its end, is this node's to tell. Remembers that the beginning was.
 * Under the lock.
 */
export function isOwnChannel({ u32, layout }: Arena, index: number, isBeginning: boolean): boolean {
  const word = channelWord(layout, index) + layout.clusterWord + CX_TOLD;
  if (isBeginning) u32[word] = 1;
  return u32[word] === 1;
}

/** False: there is no room. Under the lock. */
export function putOut(
  arena: Arena,
  policy: StorePolicy,
  data: Uint8Array,
  eventType: Uint8Array,
  nowSec: number,
): boolean {
  const index = openInternal(arena, policy, Internal.events, nowSec);
  const maxBytes = Math.max(LEAST_BYTES, Math.floor(arena.layout.size / SHARE));
  const bounds = { maxMessages: 0xffffffff, maxBytes };
  return index >= 0 && appendInternal(arena, index, { data, eventId: null, eventType }, bounds, nowSec) > 0;
}
