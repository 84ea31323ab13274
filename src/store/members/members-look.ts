/**
 * Once a second: who lingered and did not come back leaves, and channels that tell no names tell how many
 * there are. Every worker calls it (MemberStore.look), whoever comes first does the work, in slices under the
 * lock.
 */

import { subscriberCountOf } from "../channel/channels.ts";
import { channelWord } from "../memory/arena.ts";
import { CH_INCARNATION } from "../memory/layout-channel.ts";
import {
  LONGEST_LINGER_SEC,
  MB_CHANNEL,
  MB_LEAVES_SEC,
  MB_WHEEL_NEXT,
  MC_COUNT,
  MC_FULL_SEC,
  MC_INCARNATION,
  MC_MOST_EVENTS,
  MC_MOST_MEMBERS,
  MC_RATE,
  MC_RATE_SEC,
  MC_STATE,
  MC_TOLD_SEC,
  MH_DUE_COUNT,
  MH_SWEPT_SEC,
  STATE_COUNT_DUE,
  STATE_DEGRADED,
  STATE_RESET_DUE,
  WHEEL_SLOTS,
} from "../memory/layout-members.ts";
import {
  firstOfSecond,
  linkInWheel,
  memberChannelWord,
  memberWord,
  queueChannel,
  takeQueued,
  unlinkFromWheel,
} from "./member-lists.ts";
import { beginChange, endChange, isOfLiving } from "./member-records.ts";
import type { Table } from "./member-table.ts";
import { say } from "./member-telling.ts";
import { remove } from "./members.ts";
import { countBody } from "./presence-body.ts";
import { publishPresence } from "./presence-events.ts";

/** Each some microseconds under the lock, where it is told. */
const LEAVE_A_SLICE = 32;
const CHANNELS_A_SLICE = 32;
/** What no node has heard meanwhile is said again. */
const SAY_AGAIN_SEC = 5;
/** A channel that was too many or too fast goes back to names when it is this much below. */
const SHARE_TO_RETURN = 0.9;
/** And so long after the table was full. */
const FULL_FOR_SEC = 10;

/** Those whose time is over, at most a slice. True: that was all. */
export function leaveLate(table: Table, nowSec: number): boolean {
  const { members } = table;
  const { u32 } = members;
  let left = LEAVE_A_SLICE;
  // Seconds that lie further back have the same place in the wheel; none lies ahead, unless the clock was set
  // back.
  let sec = Math.min(nowSec, Math.max(u32[MH_SWEPT_SEC]!, nowSec - WHEEL_SLOTS));
  for (; sec <= nowSec && left > 0; sec++) {
    for (let record = firstOfSecond(members, sec); record !== 0 && left > 0; ) {
      const at = memberWord(members, record);
      const next = u32[at + MB_WHEEL_NEXT]!;
      const inSec = u32[at + MB_LEAVES_SEC]! - nowSec;
      // Nobody lingers so long: that was by another clock.
      if (inSec <= 0 || inSec > LONGEST_LINGER_SEC + 1) {
        beginChange(members, u32[at + MB_CHANNEL]! - 1);
        leaveHere(table, record, nowSec);
        endChange(members);
        left--;
      }
      record = next;
    }
  }
  // The second of now is not over, and the last one may not have been gone through: both are looked at again.
  u32[MH_SWEPT_SEC] = left > 0 ? nowSec : sec - 1;
  return left > 0;
}

/**
 * In a cluster it has left when that is heard from the log, as on all nodes (members-remote.ts); should
 * nobody hear it, it is said again. What a process that died has said before is said again so, too.
 */
function leaveHere(table: Table, record: number, nowSec: number): void {
  const { members } = table;
  if (members.layout.remoteSlots === 0 || !isOfLiving(table, record)) {
    remove(table, record, nowSec);
    return;
  }
  say(table, record, false);
  unlinkFromWheel(members, record);
  linkInWheel(members, record, nowSec + SAY_AGAIN_SEC);
}

/** How many channels there are to look at. */
export const queuedChannels = ({ members }: Pick<Table, "members">): number => members.u32[MH_DUE_COUNT]!;

/**
 * The next of the queue, at most a slice and `most`; how many. Those that are not done with go to its end.
 */
export function tellCounts(table: Table, most: number, nowSec: number): number {
  let told = 0;
  for (; told < Math.min(most, CHANNELS_A_SLICE); told++) {
    const index = takeQueued(table.members);
    if (index < 0) return most;
    if (!tellCount(table, index, nowSec)) queueChannel(table.members, index);
  }
  return told;
}

/** True: it has nothing more to tell. */
function tellCount(table: Table, index: number, nowSec: number): boolean {
  const { arena, members, policy } = table;
  const { u32 } = members;
  const channel = memberChannelWord(members, index);
  if (arena.u32[channelWord(arena.layout, index) + CH_INCARNATION] !== u32[channel + MC_INCARNATION]) {
    u32[channel + MC_STATE] = 0;
    return true;
  }
  let state = u32[channel + MC_STATE]!;
  if ((state & STATE_DEGRADED) !== 0 && isCalm(table, channel, nowSec))
    state = (state & ~(STATE_DEGRADED | STATE_COUNT_DUE)) | STATE_RESET_DUE;
  if (u32[channel + MC_TOLD_SEC] !== nowSec && (state & (STATE_COUNT_DUE | STATE_RESET_DUE)) !== 0) {
    const event = (state & STATE_RESET_DUE) !== 0 ? "reset" : "occupancy";
    const count = occupancyOf(table, index, nowSec);
    publishPresence(arena, members, policy, index, countBody(event, count, nowSec), nowSec);
    u32[channel + MC_TOLD_SEC] = nowSec;
    state &= ~(STATE_COUNT_DUE | STATE_RESET_DUE);
  }
  u32[channel + MC_STATE] = state >>> 0;
  return state === 0;
}

/** Names can be told again. */
function isCalm({ members: { u32 } }: Table, channel: number, nowSec: number): boolean {
  const most = u32[channel + MC_MOST_EVENTS]!;
  const rate = u32[channel + MC_RATE_SEC]! < nowSec - 1 ? 0 : u32[channel + MC_RATE]!;
  return (
    u32[channel + MC_COUNT]! <= u32[channel + MC_MOST_MEMBERS]! * SHARE_TO_RETURN &&
    (most === 0 || rate <= most * SHARE_TO_RETURN) &&
    nowSec - u32[channel + MC_FULL_SEC]! > FULL_FOR_SEC
  );
}

/** Members; where some found no room in the table lately, connections, if those are more. */
export function occupancyOf(
  { arena, members }: Pick<Table, "arena" | "members">,
  index: number,
  nowSec: number,
): number {
  const channel = memberChannelWord(members, index);
  const count = members.u32[channel + MC_COUNT]!;
  if (nowSec - members.u32[channel + MC_FULL_SEC]! > FULL_FOR_SEC) return count;
  return Math.max(count, subscriberCountOf(arena, index));
}
