/**
 * Recovery of a file whose words do not belong together: after a power cut its pages are of different ages,
 * after a flipped bit one word is noise. Called by file.ts before a new life begins, so positions need not go
 * on from where they were; what is left must only be true and hang together.
 *
 * rebuild trusts some words that a killed writer cannot spoil: the ring head, counters, ids, the clock. Here
 * these are brought to values that can be before it, and into agreement with the messages after it. A message
 * is kept when its own bytes pass their check.
 */
import { FLAG_DELETION } from "../../message.ts";
import { retireChannel } from "../channel/channel-life.ts";
import { type Arena, blockWord, channelWord, setWide, wide } from "../memory/arena.ts";
import {
  CH_AFTER,
  CH_BASE,
  CH_CLASS,
  CH_CREATED,
  CH_GONE_TAG,
  CH_GONE_TIME,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_NEWEST,
  CH_STATE,
  CH_SUBSCRIBERS,
  CLASS_INTERNAL,
  CLASS_NORMAL,
  CLASS_WILDCARD,
  STATE_LIVE,
} from "../memory/layout-channel.ts";
import {
  AGE_NEWEST,
  AGE_OLDEST,
  HEAD_CLOCK_SEC,
  HEAD_CLOCK_TAG,
  HEAD_CREATED,
  HEAD_DELETED,
  HEAD_DELETIONS,
  HEAD_EVENTS_CHANNEL,
  HEAD_EVICTED,
  HEAD_INTERNAL_BEFORE,
  HEAD_INTERNAL_CHANNELS,
  HEAD_LIVING,
  HEAD_MENDED,
  HEAD_RING_HEAD,
  HEAD_STORED,
  HEAD_SWEEP_SECOND,
  HEAD_TRANSIENT,
  HEAD_TRASH,
  LIST_FIRST,
  TRASH_BUCKETS,
} from "../memory/layout-header.ts";
import {
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_FLAGS,
  MSG_ID,
  MSG_INCARNATION,
  MSG_OLDER,
  MSG_SERIAL,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
} from "../memory/layout-message.ts";
import { nextSerial } from "../message/ring.ts";
import { dropMessage } from "../message/unlinking.ts";
import { FIRST_SERIAL } from "../totals.ts";
import { hasGoodData } from "./data-check.ts";
import { isWhole, type Rebuilt, rebuild } from "./recover.ts";

/** Serials, ids and counts above are noise: a million publishes a second reach it in a century. */
const LARGEST_COUNT = 2 ** 52;
const LARGEST_TAG = 0xffffffff;
/** A clock that is further ahead than this is noise, not a clock that was set. */
const CLOCK_AHEAD_SEC = 24 * 3600;

/**
 * `takesUnchecked`: the file is in memory, where nobody takes a check of a message's bytes; on a disk such a
 * message cannot be trusted.
 */
export function mendTorn(
  arena: Arena,
  takesUnchecked: boolean,
  nowSec = Math.floor(Date.now() / 1000),
): Rebuilt {
  settleHeader(arena, nowSec);
  settleRecords(arena);
  const rebuilt = rebuild(arena, (block) => hasGoodData(arena, block) ?? takesUnchecked);
  finishDeletions(arena, nowSec);
  settleClock(arena);
  const ghosts = agreeWithMessages(arena, nowSec);
  return { messages: rebuilt.messages - ghosts, dropped: rebuilt.dropped + ghosts };
}

function settleHeader(arena: Arena, nowSec: number): void {
  const { u32, layout } = arena;
  // Their processes are gone, whatever these words say.
  u32.fill(0, layout.slotsWord, layout.ringWord);
  u32.fill(0, HEAD_TRASH, HEAD_TRASH + 2 * TRASH_BUCKETS);
  u32.fill(0, HEAD_EVICTED, HEAD_EVICTED + 2);
  u32.fill(0, HEAD_MENDED, HEAD_MENDED + 2);
  u32.fill(0, HEAD_SWEEP_SECOND, HEAD_SWEEP_SECOND + 2);
  // The events channel, and what was counted on it and on earlier ones: it is appointed anew.
  u32.fill(0, HEAD_EVENTS_CHANNEL, HEAD_EVENTS_CHANNEL + 5);
  // Ours are found again by their names.
  u32.fill(0, HEAD_INTERNAL_CHANNELS, HEAD_INTERNAL_BEFORE + 2);
  if (u32[HEAD_CLOCK_SEC]! > nowSec + CLOCK_AHEAD_SEC) u32.fill(0, HEAD_CLOCK_SEC, HEAD_CLOCK_TAG + 1);
  const head = nextSerial(arena);
  const known = head <= LARGEST_COUNT ? head : FIRST_SERIAL;
  setWide(u32, HEAD_RING_HEAD, Math.max(known, highestSerial(arena) + 1));
  if (wide(u32, HEAD_DELETIONS) >= nextSerial(arena)) setWide(u32, HEAD_DELETIONS, 0);
}

/** Of all messages with a whole header: the ring head on the disk may be older than they are. */
function highestSerial(arena: Arena): number {
  const { u32, layout } = arena;
  let highest = 0;
  for (let block = 1; block <= layout.blocks; block++) {
    const at = blockWord(layout, block);
    if (u32[at + MSG_STAMP] === 0 || !isWhole(arena, at, LARGEST_COUNT)) continue;
    highest = Math.max(highest, wide(u32, at + MSG_SERIAL));
  }
  return highest;
}

function settleRecords(arena: Arena): void {
  const { u32, layout } = arena;
  const head = nextSerial(arena);
  for (let index = 0; index < layout.channels; index++) {
    const record = channelWord(layout, index);
    u32.fill(0, record + CH_SUBSCRIBERS, record + CH_SUBSCRIBERS + layout.workerSlots);
    const { [record + CH_CLASS]: known } = u32;
    if (known !== CLASS_WILDCARD && known !== CLASS_INTERNAL) u32[record + CH_CLASS] = CLASS_NORMAL;
    // Each id was a serial, too; the messages say what it is at least (recover.ts).
    if (wide(u32, record + CH_LAST_ID) >= head) setWide(u32, record + CH_LAST_ID, 0);
  }
}

/**
 * Who deletes a channel shows it to all, so it counts although the page that says the channel lives is older.
 */
function finishDeletions(arena: Arena, nowSec: number): void {
  const { u32, layout } = arena;
  for (let block = u32[HEAD_TRANSIENT + AGE_OLDEST]!; block !== 0; ) {
    const at = blockWord(layout, block);
    const index = u32[at + MSG_CHANNEL]!;
    const record = channelWord(layout, index);
    const isDeletion = (u32[at + MSG_FLAGS]! & FLAG_DELETION) !== 0;
    if (isDeletion && u32[record + CH_STATE] === STATE_LIVE) {
      if (u32[record + CH_INCARNATION] === u32[at + MSG_INCARNATION])
        retireChannel(arena, index, HEAD_DELETED, nowSec);
    }
    block = u32[at + MSG_AGE_NEWER]!;
  }
}

/**
 * Living channels are numbered anew; their counters and their last message agree with what they hold. How
 * many messages went.
 */
function agreeWithMessages(arena: Arena, nowSec: number): number {
  const { u32, layout } = arena;
  let created = 0;
  let dropped = 0;
  for (let link = u32[HEAD_LIVING + LIST_FIRST]!; link !== 0; ) {
    const record = channelWord(layout, link - 1);
    setWide(u32, record + CH_CREATED, ++created);
    dropped += dropGhosts(arena, record, nowSec);
    const lastId = wide(u32, record + CH_LAST_ID);
    // position = base + id stays below the serials, as that of every message does.
    const largestBase = Math.max(0, nextSerial(arena) - 1 - lastId);
    if (wide(u32, record + CH_BASE) > largestBase) setWide(u32, record + CH_BASE, largestBase);
    showNewest(arena, record);
    // Whoever comes back with a time of before may have missed something: nobody knows what was published
    // last.
    u32[record + CH_GONE_TIME] = nowSec - 1;
    u32[record + CH_GONE_TAG] = LARGEST_TAG;
    link = u32[record + CH_AFTER]!;
  }
  setWide(u32, HEAD_CREATED, created);
  return dropped;
}

/**
 * Messages from the dead: pages of an earlier life, whose ids were given out a second time since. Ids grow in
 * publish order; of those that do not, the younger message counts.
 */
function dropGhosts(arena: Arena, record: number, nowSec: number): number {
  const { u32, layout } = arena;
  let dropped = 0;
  let youngerId = Number.POSITIVE_INFINITY;
  for (let block = u32[record + CH_NEWEST]!; block !== 0; ) {
    const at = blockWord(layout, block);
    const older = u32[at + MSG_OLDER]!;
    const id = wide(u32, at + MSG_ID);
    if (id < youngerId) youngerId = id;
    else {
      dropMessage(arena, block, nowSec);
      dropped++;
    }
    block = older;
  }
  return dropped;
}

/** Time and tag of the last message, as the record should have them. */
function showNewest({ u32, layout }: Arena, record: number): void {
  const newest = u32[record + CH_NEWEST]!;
  const at = blockWord(layout, newest);
  const isNoise = u32[record + CH_LAST_TIME]! > u32[HEAD_CLOCK_SEC]!;
  if (newest !== 0) {
    u32[record + CH_LAST_TIME] = u32[at + MSG_TIME]!;
    u32[record + CH_LAST_TAG] = u32[at + MSG_TAG]!;
  } else if (isNoise) u32.fill(0, record + CH_LAST_TIME, record + CH_LAST_TAG + 1);
}

/** Not behind any message: times and tags never come twice. */
function settleClock({ u32, layout }: Arena): void {
  for (const list of [HEAD_STORED, HEAD_TRANSIENT]) {
    for (let block = u32[list + AGE_NEWEST]!; block !== 0; ) {
      const at = blockWord(layout, block);
      const [time, tag] = [u32[at + MSG_TIME]!, u32[at + MSG_TAG]!];
      if (time > u32[HEAD_CLOCK_SEC]!) [u32[HEAD_CLOCK_SEC], u32[HEAD_CLOCK_TAG]] = [time, tag];
      if (time === u32[HEAD_CLOCK_SEC]) u32[HEAD_CLOCK_TAG] = Math.max(tag, u32[HEAD_CLOCK_TAG]!);
      // A deletion has no time: look for the last message.
      block = time === 0 ? u32[at + MSG_AGE_OLDER]! : 0;
    }
  }
}
