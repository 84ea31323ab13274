/**
 * Zone-wide numbers for the statistics pages (push-stream spec 0.4). Read without the lock: each number is
 * right by itself, and a publish that was answered before is always counted, because its counters were
 * written before the answer. What is the difference of two counters, because of the events channel, is read
 * under the lock.
 */

import { internalCount, internalPublished } from "./channel/internal-places.ts";
import { messagesInTrash } from "./channel/trash.ts";
import { Counter } from "./counters.ts";
import { REQUEST_MS, release, tryAcquire } from "./lock/lock.ts";
import { type Arena, wideShared } from "./memory/arena.ts";
import {
  HEAD_REMOTE_SUBSCRIBERS,
  HEAD_SHARDS,
  MAX_SHARDS,
  SHARD_PUBLISHED,
  SHARD_WORDS,
} from "./memory/layout-cluster.ts";
import {
  AGE_COUNT,
  HEAD_DELETED,
  HEAD_DELETIONS,
  HEAD_EPOCH,
  HEAD_EVICTED,
  HEAD_FREE_BLOCKS,
  HEAD_LIVING,
  HEAD_PRESENCE_EVENTS,
  HEAD_RECLAIMED,
  HEAD_REPLACED,
  HEAD_RING_HEAD,
  HEAD_ROOMLESS,
  HEAD_STORED,
  HEAD_TRASHED,
  HEAD_WILDCARDS,
  LIST_COUNT,
} from "./memory/layout-header.ts";
import { eventsChannelOf, eventTotals, storedEvents } from "./message/events.ts";
import { readCounter, slotPid } from "./slots.ts";

export interface StoreTotals {
  /** Living channels of the normal class; the events channel is one of them, internal ones are not. */
  channels: number;
  wildcardChannels: number;
  /** Without the events channel's messages, both. */
  published: number;
  stored: number;
  messagesInTrash: number;
  channelsInDelete: number;
  channelsInTrash: number;
  /** Held connections of all workers. */
  subscribers: number;
  /**
   * Records for channels, and how many are living or in delete; those in the trash are at hand for new ones.
   */
  channelRecords: number;
  channelRecordsUsed: number;
  /**
   * Idle channels that had to go because all records were taken, and channels that found no room all the
   * same.
   */
  reclaimed: number;
  roomless: number;
  /** Messages that had to go before their time because the store was full. */
  evicted: number;
  /** Workers that died and were replaced since main opened the store. */
  replacedWorkers: number;
  blocksTotal: number;
  blocksUsed: number;
  epoch: number;
}

/** The first serial of a store; published = serials used up - deletions - presence events. */
export const FIRST_SERIAL = 1;

export function totalsOf(arena: Arena, nowMs: number): StoreTotals {
  const { u32, layout } = arena;
  let subscribers = 0;
  for (let slot = 0; slot < layout.workerSlots; slot++) {
    if (slotPid(arena, slot) !== 0) subscribers += readCounter(arena, slot, Counter.SUBSCRIBERS);
  }
  if (layout.clusterWord !== 0) subscribers += u32[HEAD_REMOTE_SUBSCRIBERS]!;
  const wildcardChannels = u32[HEAD_WILDCARDS]!;
  return {
    channels: u32[HEAD_LIVING + LIST_COUNT]! - wildcardChannels - internalCount(arena),
    wildcardChannels,
    ...messageTotals(arena),
    messagesInTrash: messagesInTrash(arena, Math.floor(nowMs / 1000)),
    channelsInDelete: u32[HEAD_DELETED + LIST_COUNT]!,
    channelsInTrash: u32[HEAD_TRASHED + LIST_COUNT]!,
    subscribers,
    channelRecords: layout.channels,
    channelRecordsUsed: u32[HEAD_LIVING + LIST_COUNT]! + u32[HEAD_DELETED + LIST_COUNT]!,
    reclaimed: wideShared(u32, HEAD_RECLAIMED),
    roomless: wideShared(u32, HEAD_ROOMLESS),
    evicted: wideShared(u32, HEAD_EVICTED),
    replacedWorkers: u32[HEAD_REPLACED]!,
    blocksTotal: layout.blocks,
    blocksUsed: layout.blocks - u32[HEAD_FREE_BLOCKS]!,
    epoch: wideShared(u32, HEAD_EPOCH),
  };
}

/** As the log counts them, so that every node says the same. */
function publishedInCluster(u32: Uint32Array): number {
  let sum = 0;
  for (let shard = 0; shard < MAX_SHARDS; shard++)
    sum += wideShared(u32, HEAD_SHARDS + shard * SHARD_WORDS + SHARD_PUBLISHED);
  return sum;
}

/**
 * Published and stored messages of the zone. Both are counted over all channels, so they cannot drift
 * (push-stream spec 5.7).
 */
function messageTotals(arena: Arena): { published: number; stored: number } {
  const { u32 } = arena;
  if (arena.layout.clusterWord !== 0)
    return {
      published: publishedInCluster(u32),
      stored: u32[HEAD_STORED + AGE_COUNT]! - storedEvents(arena),
    };
  // Where the lock cannot be had, the difference may be off by what is being published.
  const isApart = eventsChannelOf(arena) >= 0 || internalCount(arena) > 0;
  const locked = isApart && tryAcquire(arena, REQUEST_MS);
  const events = eventTotals(arena);
  const serials = wideShared(u32, HEAD_RING_HEAD) - FIRST_SERIAL;
  const messages = serials - wideShared(u32, HEAD_DELETIONS) - wideShared(u32, HEAD_PRESENCE_EVENTS);
  const published = messages - events.published - internalPublished(arena);
  const stored = u32[HEAD_STORED + AGE_COUNT]! - events.stored;
  if (locked) release(arena);
  return { published, stored };
}
