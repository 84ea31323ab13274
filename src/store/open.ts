/**
 * Opening a channel by its name: what every publish and subscription begins with. Apart from channels.ts because a new channel is told of
 * in the events channel, which is a channel itself.
 */
import type { Arena } from "./arena.ts";
import { classOf, createChannel, isClassFull } from "./channels.ts";
import { CHANNEL_CREATED, publishEvent } from "./events.ts";
import { lookUp, probe } from "./hash-table.ts";
import { acquire, release } from "./lock.ts";
import { hashName } from "./names.ts";
import type { StorePolicy } from "./policy.ts";

/** The limit of the channel's class is reached (StorePolicy). */
const TOO_MANY = -1;

/** Finds or creates: the index, -1 = the limit of its class is reached, -2 = no room for it. */
export function openChannel(arena: Arena, policy: StorePolicy, name: Uint8Array, nowSec: number): number {
  const hash = hashName(arena, name);
  const found = lookUp(arena, name, hash);
  if (found >= 0) return found;
  acquire(arena);
  // Another process may have created it since.
  let index = probe(arena, name, hash);
  if (index < 0) index = create(arena, policy, name, hash, nowSec);
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
