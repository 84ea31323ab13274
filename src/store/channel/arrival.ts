/**
 * Counting a subscriber in. Apart from channels.ts because webhooks are told of the first one in a channel,
 * and their events are messages of a channel themselves. Called through Store.
 */

import { release, SWEEP_MS, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord } from "../memory/arena.ts";
import { CH_ACTIVE_UNTIL, CH_INCARNATION, CH_SUBSCRIBERS } from "../memory/layout-channel.ts";
import { BUSY } from "../outcome.ts";
import type { StorePolicy } from "../policy.ts";
import { noteArrival } from "../webhook/webhook-log.ts";
import { activeUntil, isAttended } from "./channels.ts";

/** 1: counted; 0: the channel is gone (counted all the same while others are being told of its end); BUSY. */
export function addSubscriber(
  arena: Arena,
  policy: StorePolicy,
  slot: number,
  index: number,
  nowSec: number,
  incarnation?: number,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  // Under the lock, because the sweep collects a channel that it sees without subscribers.
  if (!tryAcquire(arena, SWEEP_MS)) return BUSY;
  const current = u32[record + CH_INCARNATION]!;
  const live = (current & 1) === 1 && (incarnation === undefined || incarnation === current);
  if (live || (incarnation !== undefined && isAttended(arena, index, incarnation))) {
    u32[record + CH_SUBSCRIBERS + slot] = u32[record + CH_SUBSCRIBERS + slot]! + 1;
    u32[record + CH_ACTIVE_UNTIL] = activeUntil(policy, nowSec);
    if (live && policy.webhooks) noteArrival(arena, policy, index, nowSec);
  }
  release(arena);
  return live ? 1 : 0;
}
