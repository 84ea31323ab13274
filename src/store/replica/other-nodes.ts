/**
 * What a clustered node's store knows of the other nodes: how many they are, and who stands there. Called
 * through ReplicaStore; the reader of the log writes it.
 */
import { type Arena, channelWord, wide } from "../memory/arena.ts";
import { CH_INCARNATION, CH_SUBSCRIBERS } from "../memory/layout-channel.ts";
import {
  CX_REMOTE,
  HEAD_LOST_TAIL,
  HEAD_NODES,
  HEAD_READER_STARTS,
  HEAD_REMOTE_SUBSCRIBERS,
  HEAD_UNPLACED,
} from "../memory/layout-cluster.ts";

/** What is known of the other nodes, and what this one lost or had no place for. */
export interface Others {
  readonly nodes: number;
  readonly subscribers: number;
  readonly lostTail: number;
  readonly unplaced: number;
  readonly readerStarts: number;
}

export const othersOf = ({ u32 }: Arena): Others => ({
  nodes: u32[HEAD_NODES]!,
  subscribers: u32[HEAD_REMOTE_SUBSCRIBERS]!,
  lostTail: wide(u32, HEAD_LOST_TAIL),
  unplaced: wide(u32, HEAD_UNPLACED),
  readerStarts: u32[HEAD_READER_STARTS]!,
});

/** Subscribers of this node in a channel. */
export function localSubscribers({ u32, layout }: Arena, index: number): number {
  const first = channelWord(layout, index) + CH_SUBSCRIBERS;
  let sum = 0;
  for (let slot = 0; slot < layout.workerSlots; slot++) sum += u32[first + slot]!;
  return sum;
}

/** Written by the reader of the log alone. */
export function setRemoteSubscribers(
  { u32, layout }: Arena,
  index: number,
  incarnation: number,
  count: number,
): void {
  const record = channelWord(layout, index);
  if (u32[record + CH_INCARNATION] === incarnation) u32[record + layout.clusterWord + CX_REMOTE] = count;
}

export function clearRemoteSubscribers({ u32, layout }: Arena): void {
  for (let index = 0; index < layout.channels; index++)
    u32[channelWord(layout, index) + layout.clusterWord + CX_REMOTE] = 0;
  u32[HEAD_REMOTE_SUBSCRIBERS] = 0;
}
