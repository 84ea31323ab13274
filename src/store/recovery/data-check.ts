/**
 * A check of a message's own bytes, kept in its header where the store is on a disk. The header's check word
 * and the stamp say that a writer came to its end; they do not say that the pages with the bytes were written
 * back before the power went (recover-torn.ts).
 */
import { type Arena, blockWord } from "../memory/arena.ts";
import { readChain } from "../memory/blocks.ts";
import {
  MSG_DATA_CHECK,
  MSG_DATA_LENGTH,
  MSG_EVENT_LENGTHS,
  MSG_WORDS,
  NO_EVENT_TEXT,
} from "../memory/layout-message.ts";
import { bytesOf } from "../message/message-words.ts";

/** Never 0. CRC-32, because the native one costs least from 200 bytes on: 50 ns for 500 bytes. */
export function dataCheck(
  eventId: Uint8Array | null,
  eventType: Uint8Array | null,
  data: Uint8Array,
): number {
  let check = 0;
  if (eventId !== null) check = Bun.hash.crc32(eventId, check);
  if (eventType !== null) check = Bun.hash.crc32(eventType, check);
  return Bun.hash.crc32(data, check) || 1;
}

/**
 * Whether the bytes of a message whose chain is whole are those that were published; null = nobody has taken
 * a check of them.
 */
export function hasGoodData(arena: Arena, block: number): boolean | null {
  const { u32, layout } = arena;
  const at = blockWord(layout, block);
  const wanted = u32[at + MSG_DATA_CHECK]!;
  if (wanted === 0) return null;
  const bytes = new Uint8Array(bytesOf(u32, at));
  if (bytes.length > 0 && !readChain(arena, block, MSG_WORDS, bytes.length, bytes)) return false;
  const dataFrom = bytes.length - u32[at + MSG_DATA_LENGTH]!;
  const idLength = u32[at + MSG_EVENT_LENGTHS]! & 0xffff;
  const typeFrom = idLength === NO_EVENT_TEXT ? 0 : idLength;
  return (
    dataCheck(bytes.subarray(0, typeFrom), bytes.subarray(typeFrom, dataFrom), bytes.subarray(dataFrom)) ===
    wanted
  );
}
