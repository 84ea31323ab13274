/**
 * What a failover lost, taken out of a node's store again: an engine that came back without the end of the log has a history in which those
 * messages never were. Called through Store by cluster/fork.ts, a channel at a time. Whoever had one of them is told by fan-out: the channel
 * goes on behind a jump, and a subscriber who stands inside of it has seen what is no more (jumps.ts).
 */
import { type Arena, blockWord, channelWord, leapWide, setWide, wide } from "./arena.ts";
import { livingChannels, nameOf } from "./channels.ts";
import { pushJump } from "./jumps.ts";
import {
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_NEWEST,
  MSG_ID,
} from "./layout.ts";
import { CX_BASE, CX_FLOOR, CX_N, CX_PUBLISHED, CX_TERM, HEAD_LOST_TAIL } from "./layout-cluster.ts";
import { beat, REQUEST_MS, release, tryAcquire } from "./lock.ts";
import { dropMessage } from "./messages.ts";
import { BUSY } from "./outcome.ts";
import { nextSerial, publishEntry } from "./ring.ts";

/** Where history stopped being this node's: everything of a later term, or of this one and above this number, never was. */
export interface Fork {
  readonly term: number;
  readonly n: number;
}

/** A channel in which this node has something that history has not. */
export interface Torn {
  readonly index: number;
  readonly incarnation: number;
  readonly name: Uint8Array;
}

/** What history says of such a channel: the last position in it and how many messages it counts; where its counter goes on. */
export interface Rest {
  readonly last: number;
  readonly published: number;
  readonly base: number;
}

/** The living channels to which something behind the fork was applied; null: busy. `isOfShard` judges by the name. */
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

/** Takes the tail out: how many messages it had, whether they are still stored or not; BUSY. */
export function cutTail(
  arena: Arena,
  { index, incarnation }: Torn,
  rest: Rest,
  fork: Fork,
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
  // A counter that history has lost altogether: nothing from here is of it.
  const last = rest.last === 0 ? Math.min(wide(u32, more + CX_BASE), lastId) : Math.min(rest.last, lastId);
  dropAfter(arena, record, last, nowSec);
  markLoss(u32, record);
  if (rest.last === 0) setWide(u32, more + CX_FLOOR, Math.max(wide(u32, more + CX_FLOOR), last));
  pushJump(arena, record, last, rest.base);
  leapWide(arena, record + CH_LAST_ID, Math.max(rest.base, lastId));
  setWide(u32, more + CX_BASE, rest.base);
  setWide(u32, more + CX_PUBLISHED, rest.published);
  setWide(u32, more + CX_TERM, fork.term);
  setWide(u32, more + CX_N, fork.n);
  const lost = lastId - last;
  setWide(u32, HEAD_LOST_TAIL, wide(u32, HEAD_LOST_TAIL) + lost);
  // No message: whoever follows the ring looks into the channel, and finds that its end has moved over a jump.
  publishEntry(arena, nextSerial(arena), index, 0, incarnation);
  release(arena);
  return lost;
}

function dropAfter(arena: Arena, record: number, last: number, nowSec: number): void {
  const { u32, layout } = arena;
  for (let left = layout.blocks; left > 0; left--) {
    const newest = u32[record + CH_NEWEST]!;
    if (newest === 0 || wide(u32, blockWord(layout, newest) + MSG_ID) <= last) return;
    beat(arena);
    dropMessage(arena, newest, nowSec);
  }
}

/** Who comes back with time and tag of a message that is no more is told, too: what is gone is newer than what he has. */
function markLoss(u32: Uint32Array, record: number): void {
  u32[record + CH_GONE_TIME] = u32[record + CH_LAST_TIME]!;
  u32[record + CH_GONE_TAG] = u32[record + CH_LAST_TAG]! + 1;
}
