/**
 * The newest incarnations of a shard's engine, as this node has read them: where positions began, and between
 * which times no message is history. Kept in the header (layout-cluster.ts), written by the reader of the log
 * alone, before it applies an incarnation's entry.
 *
 *   fork: the last that this history has … [messages of a history that is no more] … the incarnation's own
 *         time and tag
 *
 * Somebody who comes with time and tag from in between has seen what a failover lost. A channel cannot tell
 * it: the message may never have reached this node.
 */
import { type Arena, setWide, wide } from "../memory/arena.ts";
import {
  HEAD_SHARDS,
  MAX_SHARDS,
  MOST_BASES,
  SHARD_BASES,
  SHARD_FORKS,
  SHARD_TERM,
  SHARD_WORDS,
} from "../memory/layout-cluster.ts";

/** Engine's clock: a second, and the count of messages in it. */
export interface LogMoment {
  readonly sec: number;
  readonly tag: number;
}

export interface Incarnation {
  readonly term: number;
  readonly base: number;
  readonly fork: LogMoment;
  readonly begin: LogMoment;
}

const shardAt = (shard: number): number => HEAD_SHARDS + shard * SHARD_WORDS;

export function noteIncarnation(
  { u32 }: Arena,
  shard: number,
  { term, base, fork, begin }: Incarnation,
): void {
  const bases = shardAt(shard) + SHARD_BASES;
  let place = 0;
  for (let entry = 0; entry < MOST_BASES; entry++) {
    if (wide(u32, bases + entry * 4) === term) return;
    if (wide(u32, bases + entry * 4) < wide(u32, bases + place * 4)) place = entry;
  }
  const moments = shardAt(shard) + SHARD_FORKS + place * 4;
  // First: nobody is told of times that belong to another.
  u32.fill(0, moments, moments + 4);
  setWide(u32, bases + place * 4 + 2, base);
  setWide(u32, bases + place * 4, term);
  u32[moments] = fork.sec;
  u32[moments + 1] = fork.tag;
  u32[moments + 3] = begin.tag;
  u32[moments + 2] = begin.sec;
}

/** Where the positions of the first incarnation began that this node has read and that came after `term`. */
export function firstBaseAfter({ u32 }: Arena, term: number): number {
  let first = Number.POSITIVE_INFINITY;
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    for (let entry = 0; entry < MOST_BASES; entry++) {
      const at = shardAt(shard) + SHARD_BASES + entry * 4;
      if (wide(u32, at) > term) first = Math.min(first, wide(u32, at + 2));
    }
  }
  return first;
}

/**
 * Whether a message with this time and tag is of no history that this node knows. Without a tag nobody can
 * say; and tag 0 is no message's, but the second in which somebody came who had seen nothing.
 */
export function isOfLostHistory({ u32 }: Arena, sec: number, tag: number | null): boolean {
  if (tag === null || tag === 0) return false;
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    if (wide(u32, shardAt(shard) + SHARD_TERM) === 0) continue;
    for (let entry = 0; entry < MOST_BASES; entry++) {
      const at = shardAt(shard) + SHARD_FORKS + entry * 4;
      const [forkSec = 0, forkTag = 0, beginSec = 0, beginTag = 0] = u32.subarray(at, at + 4);
      const isAfterFork = sec > forkSec || (sec === forkSec && tag > forkTag);
      if (isAfterFork && (sec < beginSec || (sec === beginSec && tag < beginTag))) return true;
    }
  }
  return false;
}
