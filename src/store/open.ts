/**
 * Opening a channel by its name: what every publish and subscription begins with. Apart from channels.ts because a new channel is told of
 * in the events channel, which is a channel itself.
 */
import type { Arena } from "./arena.ts";
import type { ChannelRef } from "./channel-ref.ts";
import { classOf, createChannel, incarnationOf, isClassFull } from "./channels.ts";
import { CHANNEL_CREATED, publishEvent } from "./events.ts";
import { lookUp, probe } from "./hash-table.ts";
import { acquire, release } from "./lock.ts";
import { hashName } from "./names.ts";
import type { StorePolicy } from "./policy.ts";

/** The limit of the channel's class is reached (StorePolicy). */
const TOO_MANY = -1;

/** Finds or creates: the index, with the incarnation in `into`; -1 = the limit of its class is reached, -2 = no room for it. */
export function openChannel(
  arena: Arena,
  policy: StorePolicy,
  name: Uint8Array,
  nowSec: number,
  into: ChannelRef,
): number {
  const hash = hashName(arena, name);
  const found = lookUp(arena, name, hash, into);
  if (found >= 0) return found;
  acquire(arena);
  // Another process may have created it since.
  let index = probe(arena, name, hash, into);
  if (index < 0) {
    index = create(arena, policy, name, hash, nowSec);
    if (index >= 0) into.set(index, incarnationOf(arena, index));
  }
  release(arena);
  return index;
}

function create(arena: Arena, policy: StorePolicy, name: Uint8Array, hash: number, nowSec: number): number {
  const channelClass = classOf(policy, name);
  if (isClassFull(arena, policy, channelClass)) return TOO_MANY;
  const index = createChannel(arena, policy, name, hash, channelClass, nowSec);
  if (index >= 0) publishEvent(arena, policy, CHANNEL_CREATED, index, nowSec);
  return index;
}
