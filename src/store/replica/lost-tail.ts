/**
 * What a failover lost, taken out of a node's store again: an engine that came back without the end of the
 * log has a history in which those messages never were. Called through Store by cluster/fork.ts, a channel at
 * a time. Whoever had one of them is told by fan-out: the channel goes on behind a jump, and a subscriber who
 * stands inside of it has seen what is no more (jumps.ts).
 */

import { livingChannels, nameOf } from "../channel/channels.ts";
import { missedBetween, pushJump, raiseFloor } from "../jumps.ts";
import { beat, REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, blockWord, channelWord, leapWide, setWide, wide } from "../memory/arena.ts";
import {
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_NEWEST,
} from "../memory/layout-channel.ts";
import { CX_BASE, CX_N, CX_PUBLISHED, CX_TERM, HEAD_LOST_TAIL } from "../memory/layout-cluster.ts";
import { MSG_ID, MSG_TAG, MSG_TIME } from "../memory/layout-message.ts";
import { nextSerial, publishEntry } from "../message/ring.ts";
import { dropMessage } from "../message/unlinking.ts";
import { BUSY } from "../outcome.ts";
import { firstBaseAfter } from "./forks.ts";

/**
 * Where history stopped being this node's: everything of a later term, or of this one and above this number,
 * never was.
 */
export interface Fork {
  readonly term: number;
  readonly n: number;
  /** Time and tag of the last message that is history; those of another history that are newer never were. */
  readonly sec: number;
  readonly tag: number;
}

/** A channel in which this node has something that history has not. */
export interface Torn {
  readonly index: number;
  readonly incarnation: number;
  readonly name: Uint8Array;
}

/**
 * What the engine knows of a channel: the last position in it, how many messages it counts, and where its
 * counter began.
 */
export interface Rest {
  readonly last: number;
  readonly published: number;
  readonly base: number;
}

/**
 * The living channels to which something behind the fork was applied; null: busy. `isOfShard` judges by the
 * name.
 */
export function tornChannels(
  arena: Arena,
  fork: Fork,
  isOfShard: (name: Uint8Array) => boolean,
): Torn[] | null {
  const living = livingChannels(arena);
  if (living === null) return null;
  const torn: Torn[] = [];
  living.indices.forEach((index, at) => {
    const incarnation = living.incarnations[at] ?? 0;
    if (!isBehind(arena, index, fork)) return;
    const name = nameOf(arena, index);
    if (isOfShard(name)) torn.push({ index, incarnation, name });
  });
  return torn;
}

function isBehind({ u32, layout }: Arena, index: number, fork: Fork): boolean {
  const more = channelWord(layout, index) + layout.clusterWord;
  const term = wide(u32, more + CX_TERM);
  return term > fork.term || (term === fork.term && wide(u32, more + CX_N) > fork.n);
}

/**
 * Takes the tail out: how many messages it had, or BUSY. `rest`: what the engine knows of the channel at the
 * fork; null: it has gone on since, and what survived is told by times. `base`: where positions of the new
 * incarnation begin.
 */
export function cutTail(
  arena: Arena,
  { index, incarnation }: Torn,
  rest: Rest | null,
  fork: Fork,
  base: number,
  nowSec: number,
): number {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const more = record + layout.clusterWord;
  if (!tryAcquire(arena, REQUEST_MS)) return BUSY;
  if (u32[record + CH_INCARNATION] !== incarnation || !isBehind(arena, index, fork)) {
    release(arena);
    return 0;
  }
  const lastId = wide(u32, record + CH_LAST_ID);
  const dropped = dropLost(arena, record, rest, fork, nowSec);
  const last = rest === null ? newestId(arena, record) : Math.min(rest.last, lastId);
  const counted = last === 0 ? 0 : missedBetween(arena, index, last, lastId);
  const lost = Math.max(dropped, Number.isFinite(counted) ? counted : 0);
  markLoss(u32, record);
  // Above everybody who stands there, or he is not told.
  const to = Math.max(base, lastId + 1);
  // Nothing of it is left that could say where history ends: no place in it is certain.
  if (last === 0) raiseFloor(arena, record, to);
  else pushJump(arena, record, last, to);
  leapWide(arena, record + CH_LAST_ID, to);
  setWide(u32, more + CX_BASE, to);
  const published = rest?.published ?? Math.max(0, wide(u32, more + CX_PUBLISHED) - lost);
  setWide(u32, more + CX_PUBLISHED, published);
  setWide(u32, more + CX_TERM, fork.term);
  setWide(u32, more + CX_N, fork.n);
  setWide(u32, HEAD_LOST_TAIL, wide(u32, HEAD_LOST_TAIL) + lost);
  // No message: whoever follows the ring looks into the channel, and finds that its end has moved over a
  // jump.
  publishEntry(arena, nextSerial(arena), index, 0, incarnation);
  release(arena);
  return lost;
}

/**
 * Entries between were trimmed away before this node read them: the channel goes on where its counter stands.
 * False: busy.
 */
export function reach(arena: Arena, { index, incarnation }: Torn, rest: Rest): boolean {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const more = record + layout.clusterWord;
  if (!tryAcquire(arena, REQUEST_MS)) return false;
  const lastId = wide(u32, record + CH_LAST_ID);
  if (u32[record + CH_INCARNATION] === incarnation && rest.last > lastId) {
    if (wide(u32, more + CX_BASE) !== rest.base) {
      // Of the counter before, more may have come than is known: nobody's place before this one is certain.
      if (lastId > 0) pushJump(arena, record, lastId, rest.base);
      raiseFloor(arena, record, rest.last);
      setWide(u32, more + CX_BASE, rest.base);
    }
    setWide(u32, more + CX_PUBLISHED, rest.published);
    leapWide(arena, record + CH_LAST_ID, rest.last);
    publishEntry(arena, nextSerial(arena), index, 0, incarnation);
  }
  release(arena);
  return true;
}

/** The lost ones are the newest of their channel. */
function dropLost(arena: Arena, record: number, rest: Rest | null, fork: Fork, nowSec: number): number {
  const { u32, layout } = arena;
  const above = rest?.last ?? firstBaseAfter(arena, fork.term);
  let dropped = 0;
  for (; dropped < layout.blocks; dropped++) {
    const newest = u32[record + CH_NEWEST]!;
    if (newest === 0) break;
    const at = blockWord(layout, newest);
    const isNewer = rest === null && isAfter(u32[at + MSG_TIME]!, u32[at + MSG_TAG]!, fork);
    if (wide(u32, at + MSG_ID) <= above && !isNewer) break;
    beat(arena);
    dropMessage(arena, newest, nowSec);
  }
  return dropped;
}

const isAfter = (sec: number, tag: number, fork: Fork): boolean =>
  sec > fork.sec || (sec === fork.sec && tag > fork.tag);

function newestId({ u32, layout }: Arena, record: number): number {
  const newest = u32[record + CH_NEWEST]!;
  return newest === 0 ? 0 : wide(u32, blockWord(layout, newest) + MSG_ID);
}

/**
 * Who comes back with time and tag of a message that is no more is told, too: what is gone is newer than what
 * he has.
 */
function markLoss(u32: Uint32Array, record: number): void {
  u32[record + CH_GONE_TIME] = u32[record + CH_LAST_TIME]!;
  u32[record + CH_GONE_TAG] = u32[record + CH_LAST_TAG]! + 1;
}
