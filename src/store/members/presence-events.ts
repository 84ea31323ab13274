/**
 * Presence events as messages of their channel: unstored, behind the newest message and with its id, and with
 * a number of their own. So those who do not ask for them see neither them nor a hole, and those who do have
 * them in one order with the messages. Called by members.ts, under the lock; whoever releases it wakes the
 * readers (Arena.eventsDue).
 */
import { FLAG_PRESENCE } from "../../message.ts";
import { makeRoom } from "../channel/evict.ts";
import { type Arena, blockWord, channelWord, growWide, setWide, wide } from "../memory/arena.ts";
import { blocksForMessage, ChainWriter, planTaking } from "../memory/blocks.ts";
import { CH_INCARNATION, CH_LAST_ID, CH_LAST_TAG, CH_LAST_TIME } from "../memory/layout-channel.ts";
import { AGE_OLDEST, HEAD_ON_DISK, HEAD_PRESENCE_EVENTS, HEAD_TRANSIENT } from "../memory/layout-header.ts";
import { MC_NUMBER, MH_EVENTS, MSG_NUMBER } from "../memory/layout-members.ts";
import {
  MSG_AGE_NEWER,
  MSG_DATA_CHECK,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_ID,
  MSG_TAG,
  MSG_TIME,
  MSG_WORDS,
  NO_EVENT_TEXT,
} from "../memory/layout-message.ts";
import { addMessage } from "../message/publication.ts";
import { nextSerial } from "../message/ring.ts";
import { dropMessage } from "../message/unlinking.ts";
import type { StorePolicy } from "../policy.ts";
import { dataCheck } from "../recovery/data-check.ts";
import { memberChannelWord } from "./member-lists.ts";
import type { Members } from "./members-file.ts";

const writer = new ChainWriter();

/**
 * Publishes `body` in a living channel. Without room for it its number is used up all the same: those who are
 * there see a hole in the numbers, and read the list again.
 */
export function publishPresence(
  arena: Arena,
  members: Members,
  policy: StorePolicy,
  index: number,
  body: Uint8Array,
  nowSec: number,
): void {
  const { u32, layout } = arena;
  const record = channelWord(layout, index);
  const numberWord = memberChannelWord(members, index) + MC_NUMBER;
  const number = members.u32[numberWord]! + 1;
  const blocks = blocksForMessage(layout, body.length);
  if (makeRoom(arena, blocks, nowSec)) {
    const block = planTaking(arena, blocks, nextSerial(arena) >>> 0);
    const at = blockWord(layout, block);
    writer.begin(layout, block, MSG_WORDS);
    writer.write(arena, body);
    setWide(u32, at + MSG_ID, wide(u32, record + CH_LAST_ID));
    // Times and tags do not fall from message to message (seek.ts); its own time is in the body.
    u32[at + MSG_TIME] = u32[record + CH_LAST_TIME]!;
    u32[at + MSG_TAG] = u32[record + CH_LAST_TAG]!;
    u32[at + MSG_EXPIRES] = nowSec + Math.max(1, policy.unstoredTtlSec);
    u32[at + MSG_DATA_LENGTH] = body.length;
    u32[at + MSG_EVENT_LENGTHS] = NO_EVENT_TEXT * 0x10000 + NO_EVENT_TEXT;
    u32[at + MSG_DATA_CHECK] = u32[HEAD_ON_DISK] === 0 ? 0 : dataCheck(null, null, body);
    u32[at + MSG_FLAGS] = FLAG_PRESENCE;
    u32[at + MSG_NUMBER] = number;
    addMessage(arena, block, index, u32[record + CH_INCARNATION]!);
    growWide(arena, HEAD_PRESENCE_EVENTS, wide(u32, HEAD_PRESENCE_EVENTS) + 1);
    arena.eventsDue = true;
  }
  members.u32[MH_EVENTS] = members.u32[MH_EVENTS]! + 1;
  // Pairs with presenceNumber: who sees it finds the event, or its hole.
  Atomics.store(members.u32, numberWord, number);
}

/**
 * Main, at open, alone: those of an earlier life of the members' file, whose numbers would mean others now.
 */
export function dropPresenceEvents(arena: Arena, nowSec: number): void {
  const { u32, layout } = arena;
  let left = layout.blocks;
  for (let block = u32[HEAD_TRANSIENT + AGE_OLDEST]!; block !== 0 && left > 0; left--) {
    const at = blockWord(layout, block);
    const newer = u32[at + MSG_AGE_NEWER]!;
    if ((u32[at + MSG_FLAGS]! & FLAG_PRESENCE) !== 0) dropMessage(arena, block, nowSec);
    block = newer;
  }
}
