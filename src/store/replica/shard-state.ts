/** How a shard stands on this node, as whoever wants to know it reads it (replica-store.ts). */
import { type Arena, wide, wideShared } from "../memory/arena.ts";
import {
  SHARD_APPLIED_SEC,
  SHARD_CONNECTED,
  SHARD_ENTRY_SEC,
  SHARD_N,
  SHARD_PUBLISHED,
  SHARD_READY,
  SHARD_SEEN_N,
  SHARD_TERM,
  SHARD_TOP,
} from "../memory/layout-cluster.ts";
import { shardWord } from "./replica.ts";

export interface ShardState {
  /** The last entry that was applied. */
  readonly term: number;
  readonly n: number;
  readonly published: number;
  readonly top: number;
  readonly isReady: boolean;
  readonly isConnected: boolean;
  readonly entrySec: number;
  readonly appliedSec: number;
  readonly lag: number;
}

export function shardState({ u32 }: Arena, shard: number): ShardState {
  const at = shardWord(shard);
  const n = wide(u32, at + SHARD_N);
  return {
    term: wide(u32, at + SHARD_TERM),
    n,
    published: wideShared(u32, at + SHARD_PUBLISHED),
    top: wide(u32, at + SHARD_TOP),
    isReady: u32[at + SHARD_READY] === 1,
    isConnected: u32[at + SHARD_CONNECTED] === 1,
    entrySec: u32[at + SHARD_ENTRY_SEC]!,
    appliedSec: u32[at + SHARD_APPLIED_SEC]!,
    lag: Math.max(0, wide(u32, at + SHARD_SEEN_N) - n),
  };
}
