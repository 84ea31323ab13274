/**
 * Copying a message out of the store, without the lock. Called by fanout for every message it carries and by
 * every replay.
 *
 * The block may be freed and overwritten at any moment. The stamp tells: it is zeroed before anything of a
 * message changes, and the same stamp does not come back to a block for four billion publishes. So: same
 * stamp before and after = a true copy.
 */
import { TRACEPARENT_BYTES } from "../../http/traceparent.ts";
import {
  BEHIND_SHIFT,
  CHANNEL_DELETED_ID,
  FLAG_DELETION,
  FLAG_PRESENCE,
  FLAG_TRACED,
} from "../../message.ts";
import { type Arena, blockWord, readFence } from "../memory/arena.ts";
import { readChain } from "../memory/blocks.ts";
import { MSG_NUMBER } from "../memory/layout-members.ts";
import {
  MSG_CHANNEL,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_EXPIRES,
  MSG_FLAGS,
  MSG_ID,
  MSG_INCARNATION,
  MSG_SERIAL,
  MSG_STAMP,
  MSG_TAG,
  MSG_TIME,
  MSG_WORDS,
  NO_EVENT_TEXT,
} from "../memory/layout-message.ts";
import type { Message } from "./message-view.ts";

/** False when the message is no longer there; `into` is garbage then. */
export function readMessage(
  arena: Arena,
  block: number,
  stamp: number,
  into: Message,
  withData: boolean,
): boolean {
  const { u32, layout } = arena;
  if (block === 0 || block > layout.blocks || stamp === 0) return false;
  const at = blockWord(layout, block);
  // Pairs with the store in stampMessage: the header and the bytes are complete.
  if (Atomics.load(u32, at + MSG_STAMP) !== stamp) return false;
  const textBytes = readHeaderWords(arena, at, into);
  into.block = block;
  into.stamp = stamp;
  const length = textBytes + (withData ? into.dataLength + into.traceLength + into.byLength : 0);
  if (length > into.bytes.length) {
    // Not for a header that was overwritten under us: its lengths are noise.
    if (length > layout.maxMessageBytes || Atomics.load(u32, at + MSG_STAMP) !== stamp) return false;
    into.reserve(length);
  }
  if (length > 0 && !readChain(arena, block, MSG_WORDS, length, into.bytes)) return false;
  readFence();
  // Pairs with the store of 0 in dropMessage.
  return Atomics.load(u32, at + MSG_STAMP) === stamp;
}

/** Copies the numbers; returns how many bytes event id and type take. */
function readHeaderWords({ u32, numberBase }: Arena, at: number, into: Message): number {
  const lengths = u32[at + MSG_EVENT_LENGTHS]!;
  const idLength = lengths & 0xffff;
  const typeLength = lengths >>> 16;
  into.channelIndex = u32[at + MSG_CHANNEL]!;
  into.incarnation = u32[at + MSG_INCARNATION]!;
  into.flags = u32[at + MSG_FLAGS]!;
  into.traceLength = (into.flags & FLAG_TRACED) !== 0 ? TRACEPARENT_BYTES : 0;
  into.byLength = (into.flags >>> BEHIND_SHIFT) - into.traceLength;
  into.id =
    (into.flags & FLAG_DELETION) !== 0
      ? CHANNEL_DELETED_ID
      : u32[at + MSG_ID + 1]! * 4294967296 + u32[at + MSG_ID]!;
  into.number = (into.flags & FLAG_PRESENCE) !== 0 ? numberBase + u32[at + MSG_NUMBER]! : 0;
  into.time = u32[at + MSG_TIME]!;
  into.tag = u32[at + MSG_TAG]!;
  into.expires = u32[at + MSG_EXPIRES]!;
  into.serial = u32[at + MSG_SERIAL + 1]! * 4294967296 + u32[at + MSG_SERIAL]!;
  into.eventIdLength = idLength === NO_EVENT_TEXT ? -1 : idLength;
  into.eventTypeLength = typeLength === NO_EVENT_TEXT ? -1 : typeLength;
  into.dataOffset = Math.max(0, into.eventIdLength) + Math.max(0, into.eventTypeLength);
  into.dataLength = u32[at + MSG_DATA_LENGTH]!;
  return into.dataOffset;
}
