/**
 * Positions of a cluster that are no message's but a moment in its log. Used through Store by whoever stands
 * in a channel or comes back to one.
 */
import { type Arena, wide } from "../memory/arena.ts";
import {
  HEAD_FORGOTTEN_SEC,
  HEAD_SHARDS,
  MAX_SHARDS,
  SHARD_ENTRY_SEC,
  SHARD_TERM,
} from "../memory/layout-cluster.ts";
import { HEAD_CLOCK_SEC, HEAD_CLOCK_TAG } from "../memory/layout-header.ts";
import { shardWord } from "./replica.ts";

/**
 * Somebody who stands in a channel that this node knows nothing of has no message to point at. His position
 * is the moment in the log, as time and tag, above every position that a counter ever reaches:
 *
 *   2^52 + (seconds since 2025) * 2^20 + tag
 */
const MOMENTS = 2 ** 52;
const TAGS = 2 ** 20;
export const START_SEC = 1735689600;

export function momentOf({ u32 }: Arena): number {
  let sec = u32[HEAD_CLOCK_SEC]!;
  let tag = Math.min(u32[HEAD_CLOCK_TAG]!, TAGS - 1);
  // Of several shards that which was read least far counts.
  for (let shard = 1; shard < MAX_SHARDS; shard++) {
    const at = shardWord(shard);
    if (wide(u32, at + SHARD_TERM) === 0) break;
    sec = Math.min(sec, u32[at + SHARD_ENTRY_SEC]!, u32[HEAD_SHARDS + SHARD_ENTRY_SEC]!);
    tag = 0;
  }
  return MOMENTS + Math.max(0, sec - START_SEC) * TAGS + tag;
}

/** Time and tag of such a position; null: it is that of a message. */
export function readMoment(position: number): { readonly time: number; readonly tag: number } | null {
  if (position < MOMENTS) return null;
  const moment = position - MOMENTS;
  return { time: START_SEC + Math.floor(moment / TAGS), tag: moment % TAGS };
}

/** Whether channels were forgotten here to which something was published after that moment. */
export const hasForgotten = ({ u32 }: Arena, timeSec: number): boolean => u32[HEAD_FORGOTTEN_SEC]! >= timeSec;
