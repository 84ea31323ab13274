/**
 * The second half of putting something in: from a filled block chain to a stamped message, and from a stamped message to a
 * published one. Shared by publish (the normal way) and recover (which finishes a publish that was cut off). Under the lock.
 */
import { type Arena, blockWord, channelWord, growWide, setWide, wide } from "./arena.ts";
import { retireChannel } from "./channels.ts";
import {
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  HEAD_DELETED,
  HEAD_DELETIONS,
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_ID,
  MSG_INCARNATION,
  MSG_SERIAL,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
} from "./layout.ts";
import { checkOf, linkByAge, linkInChannel } from "./messages.ts";
import { nextSerial, publishEntry, stampOf } from "./ring.ts";

/** Completes a header whose other words are written: from the last line on the message exists. */
export function stampMessage(arena: Arena, block: number, index: number, incarnation: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const serial = nextSerial(arena);
  u32[at + MSG_CHANNEL] = index;
  u32[at + MSG_INCARNATION] = incarnation;
  setWide(u32, at + MSG_SERIAL, serial);
  u32[at + MSG_CHECK] = checkOf(u32, at);
  arena.fault?.("append-written");
  // Pairs with the first look of readMessage: who sees the stamp sees header and bytes.
  Atomics.store(u32, at + MSG_STAMP, stampOf(serial >>> 0));
}

/** Hangs a stamped message in and shows it to all. */
export function publishMessage(arena: Arena, block: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const index = u32[at + MSG_CHANNEL]!;
  const record = channelWord(layout, index);
  arena.fault?.("append-stamped");
  linkInChannel(arena, block);
  linkByAge(arena, block);
  arena.fault?.("append-linked");
  u32[record + CH_LAST_TIME] = u32[at + MSG_TIME]!;
  u32[record + CH_LAST_TAG] = u32[at + MSG_TAG]!;
  growWide(arena, record + CH_LAST_ID, wide(u32, at + MSG_ID));
  arena.fault?.("append-counted");
  publishEntry(arena, wide(u32, at + MSG_SERIAL), index, block, u32[at + MSG_INCARNATION]!);
  arena.fault?.("append-published");
}

/** The same for a stamped deletion: retires the channel, then shows the entry to all. */
export function publishDeletion(arena: Arena, block: number, nowSec: number): void {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const index = u32[at + MSG_CHANNEL]!;
  const incarnation = u32[at + MSG_INCARNATION]!;
  // Not when recovery comes here after the channel was retired.
  if (u32[channelWord(layout, index) + CH_INCARNATION] === incarnation) {
    retireChannel(arena, index, HEAD_DELETED, nowSec);
  }
  arena.fault?.("delete-retired");
  linkByAge(arena, block);
  // The header carries the count, so that finishing a half-done deletion does not count it twice.
  growWide(arena, HEAD_DELETIONS, wide(u32, at + MSG_ID));
  publishEntry(arena, wide(u32, at + MSG_SERIAL), index, block, incarnation);
}
