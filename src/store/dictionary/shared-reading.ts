/**
 * Finding an entry of a shared dictionary and copying what it has. Used by shared-dictionary.ts without the
 * lock as well: links may then lead anywhere, and every walk is bounded.
 */
import type { DictionaryArena } from "./shared-change.ts";
import {
  BLOCK_WORDS,
  DICT_VERSION,
  type DictionaryLayout,
  ENTRY_HASH,
  ENTRY_KEY_BYTES,
  ENTRY_NEXT,
  ENTRY_WORDS,
  FIRST_BYTES,
  LINK,
  MORE_BYTES,
} from "./shared-layout.ts";

/** What a caller wants kept: filled by shared-value.ts, used again for every call. */
export class Draft {
  /** Made longer for keys that are. */
  key = new Uint8Array(256);
  keyBytes = 0;
  hash = 0;
  kind = 0;
  number = 0;
  value: Uint8Array = new Uint8Array(0);
  expiresMs = 0;
}

export const entryWord = ({ blocksWord }: DictionaryLayout, block: number): number =>
  blocksWord + block * BLOCK_WORDS;

/**
 * A torn chain may run in a circle: how often a reader without the lock looks whether it still reads what it
 * began with.
 */
export const LOOK_EVERY = 64;
export const CHANGED = -1;

/**
 * The entry of the draft's key; 0: there is none. Also without the lock: then CHANGED (-1) may come back, and
 * anything else means something only if DICT_VERSION is still `version` afterwards.
 */
export function findEntry({ u32, u8, layout }: DictionaryArena, draft: Draft, version: number): number {
  let entry = u32[layout.hashWord + (draft.hash & layout.hashMask)]!;
  for (let steps = 1; entry !== 0; steps++) {
    if (entry > layout.blocks || steps > layout.blocks) return CHANGED;
    if (steps % LOOK_EVERY === 0 && Atomics.load(u32, DICT_VERSION) !== version) return CHANGED;
    const at = entryWord(layout, entry);
    if (
      u32[at + ENTRY_HASH] === draft.hash &&
      u32[at + ENTRY_KEY_BYTES] === draft.keyBytes &&
      hasKey(u32, u8, layout, entry, draft)
    )
      return entry;
    entry = u32[at + ENTRY_NEXT]!;
  }
  return 0;
}

function hasKey(
  u32: Uint32Array,
  u8: Uint8Array,
  layout: DictionaryLayout,
  entry: number,
  { key, keyBytes }: Draft,
): boolean {
  let byte = (entryWord(layout, entry) + ENTRY_WORDS) * 4;
  let room = FIRST_BYTES;
  let block = entry;
  for (let at = 0; at < keyBytes; at++) {
    if (room === 0) {
      block = u32[entryWord(layout, block) + LINK]!;
      if (block === 0 || block > layout.blocks) return false;
      byte = (entryWord(layout, block) + LINK + 1) * 4;
      room = MORE_BYTES;
    }
    if (u8[byte++] !== key[at]) return false;
    room--;
  }
  return true;
}

/**
 * Copies `count` bytes of an entry's stream, from `skip` on. Also without the lock: links that lead nowhere
 * end it.
 */
export function copyStream(
  { u32, u8, layout }: DictionaryArena,
  entry: number,
  skip: number,
  into: Uint8Array,
): void {
  let block = entry;
  let byte = (entryWord(layout, block) + ENTRY_WORDS) * 4;
  let room = FIRST_BYTES;
  let left = skip;
  for (let copied = 0; copied < into.length; ) {
    if (left >= room) {
      left -= room;
      block = u32[entryWord(layout, block) + LINK]!;
      if (block === 0 || block > layout.blocks) return;
      byte = (entryWord(layout, block) + LINK + 1) * 4;
      room = MORE_BYTES;
      continue;
    }
    const piece = Math.min(room - left, into.length - copied);
    into.set(u8.subarray(byte + left, byte + left + piece), copied);
    copied += piece;
    left += piece;
  }
}
