/**
 * The entries of a shared dictionary: putting them in, taking them out, and which has to go.
 * Used by shared-dictionary.ts, under the lock unless a function says otherwise.
 *
 * Whoever has to go is the oldest of a list that new and changed values enter at the other end. Reading moves
 * nothing, as that would take the lock: it leaves a mark, and an entry that bears one when it is its turn is
 * put to the other end once more ("second chance").
 */
import { REBUILD } from "../lock/journal.ts";
import { beat } from "../lock/lock.ts";
import { writeFence } from "../memory/arena.ts";
import { DamageError } from "../recovery/damage.ts";
import type { Change, DictionaryArena } from "./shared-change.ts";
import {
  DICT_CHANGES,
  DICT_ENTRIES,
  DICT_EVICTED,
  DICT_EXPIRED,
  DICT_FREE_BLOCK,
  DICT_FREE_BLOCKS,
  DICT_NEWEST,
  DICT_OLDEST,
  DICT_VERSION,
  ENTRY_BLOCKS,
  ENTRY_EXPIRES,
  ENTRY_HASH,
  ENTRY_KEY_BYTES,
  ENTRY_KIND,
  ENTRY_LAST,
  ENTRY_NEWER,
  ENTRY_NEXT,
  ENTRY_NUMBER,
  ENTRY_OLDER,
  ENTRY_VALUE_BYTES,
  ENTRY_WORDS,
  FIRST_BYTES,
  LINK,
  MORE_BYTES,
} from "./shared-layout.ts";
import { type Draft, entryWord, LOOK_EVERY } from "./shared-reading.ts";

/**
 * Plans an entry for the draft in free blocks, of which the caller has made `count`, in the place of `old`
 * (0: of none). Commits.
 */
export function putEntry(
  arena: DictionaryArena,
  change: Change,
  draft: Draft,
  count: number,
  old: number,
): void {
  const { u32, layout } = arena;
  const entry = u32[DICT_FREE_BLOCK]!;
  const last = nthBlock(arena, entry, count);
  const at = entryWord(layout, entry);
  const place = layout.hashWord + (draft.hash & layout.hashMask);
  change.begin();
  change.set(DICT_FREE_BLOCK, u32[entryWord(layout, last) + LINK]!);
  change.set(DICT_FREE_BLOCKS, u32[DICT_FREE_BLOCKS]! - count);
  change.set(DICT_ENTRIES, u32[DICT_ENTRIES]! + 1);
  if (old !== 0) planRemoval(arena, change, old);
  u32[at + ENTRY_NEXT] = change.get(place);
  u32[at + ENTRY_OLDER] = change.get(DICT_NEWEST);
  u32[at + ENTRY_NEWER] = 0;
  arena.f64[(at + ENTRY_EXPIRES) / 2] = draft.expiresMs;
  arena.f64[(at + ENTRY_NUMBER) / 2] = draft.number;
  u32[at + ENTRY_HASH] = draft.hash;
  u32[at + ENTRY_KEY_BYTES] = draft.keyBytes;
  u32[at + ENTRY_VALUE_BYTES] = draft.value.length;
  u32[at + ENTRY_KIND] = draft.kind;
  u32[at + ENTRY_LAST] = last;
  u32[at + ENTRY_BLOCKS] = count;
  writeStream(arena, entry, draft);
  change.set(place, entry);
  planNewest(arena, change, entry);
  change.commit();
  arena.u8[layout.marksByte + entry] = 0;
}

/** Takes it out, with its blocks. Commits. */
export function removeEntry(arena: DictionaryArena, change: Change, entry: number): void {
  planRemoval(arena, change.begin(), entry);
  change.commit();
}

/** Makes `count` blocks free, at the cost of whoever was not used for longest. */
export function makeRoom(arena: DictionaryArena, change: Change, count: number, nowMs: number): void {
  const { u32 } = arena;
  for (let gone = 0; u32[DICT_FREE_BLOCKS]! < count; gone++) {
    const victim = whoGoes(arena, change, nowMs);
    const counter = isOver(arena, victim, nowMs) ? DICT_EXPIRED : DICT_EVICTED;
    planRemoval(arena, change.begin(), victim);
    const low = (u32[counter]! + 1) >>> 0;
    change.set(counter, low);
    if (low === 0) change.set(counter + 1, u32[counter + 1]! + 1);
    change.commit();
    if (gone % LOOK_EVERY === 0) beat(arena);
  }
}

/** Whether its time is over. Also without the lock. */
export function isOver({ f64, layout }: DictionaryArena, entry: number, nowMs: number): boolean {
  const expiresMs = f64[(entryWord(layout, entry) + ENTRY_EXPIRES) / 2]!;
  return expiresMs !== 0 && expiresMs <= nowMs;
}

/** Notes that it was read. Without the lock; the mark may be another's by now. */
export function markRead({ u8, layout }: DictionaryArena, entry: number): void {
  const at = layout.marksByte + entry;
  if (u8[at] === 0) u8[at] = 1;
}

/** So many are passed over; then the next goes, read or not. */
const MOST_CHANCES = 32;

function whoGoes(arena: DictionaryArena, change: Change, nowMs: number): number {
  const { u32, u8, layout } = arena;
  for (let chance = 0; ; chance++) {
    const oldest = linkTo(arena, u32[DICT_OLDEST]!);
    const mark = layout.marksByte + oldest;
    if (u8[mark] === 0 || chance === MOST_CHANCES || isOver(arena, oldest, nowMs)) return oldest;
    u8[mark] = 0;
    change.begin();
    planLeaving(arena, change, oldest);
    change.set(entryWord(layout, oldest) + ENTRY_OLDER, change.get(DICT_NEWEST));
    change.set(entryWord(layout, oldest) + ENTRY_NEWER, 0);
    planNewest(arena, change, oldest);
    change.commit();
  }
}

/** `entry`'s own ENTRY_OLDER is, or will be, what is the newest now. */
function planNewest({ layout }: DictionaryArena, change: Change, entry: number): void {
  const newest = change.get(DICT_NEWEST);
  if (newest === 0) change.set(DICT_OLDEST, entry);
  else change.set(entryWord(layout, newest) + ENTRY_NEWER, entry);
  change.set(DICT_NEWEST, entry);
}

function planLeaving(arena: DictionaryArena, change: Change, entry: number): void {
  const { layout } = arena;
  const older = change.get(entryWord(layout, entry) + ENTRY_OLDER);
  const newer = change.get(entryWord(layout, entry) + ENTRY_NEWER);
  if (older === 0) change.set(DICT_OLDEST, newer);
  else change.set(entryWord(layout, linkTo(arena, older)) + ENTRY_NEWER, newer);
  if (newer === 0) change.set(DICT_NEWEST, older);
  else change.set(entryWord(layout, linkTo(arena, newer)) + ENTRY_OLDER, older);
}

function planRemoval(arena: DictionaryArena, change: Change, entry: number): void {
  const { u32, layout } = arena;
  const at = entryWord(layout, entry);
  const last = linkTo(arena, u32[at + ENTRY_LAST]!);
  const before = wordBefore(arena, entry);
  planLeaving(arena, change, entry);
  change.set(before, u32[at + ENTRY_NEXT]!);
  change.set(entryWord(layout, last) + LINK, change.get(DICT_FREE_BLOCK));
  change.set(DICT_FREE_BLOCK, entry);
  change.set(DICT_FREE_BLOCKS, change.get(DICT_FREE_BLOCKS) + u32[at + ENTRY_BLOCKS]!);
  change.set(DICT_ENTRIES, change.get(DICT_ENTRIES) - 1);
}

/** The word that leads to the entry on its place of the hash table. */
function wordBefore(arena: DictionaryArena, entry: number): number {
  const { u32, layout } = arena;
  let word = layout.hashWord + (u32[entryWord(layout, entry) + ENTRY_HASH]! & layout.hashMask);
  for (let left = layout.blocks; left > 0; left--) {
    const found = linkTo(arena, u32[word]!);
    if (found === entry) return word;
    word = entryWord(layout, found) + ENTRY_NEXT;
  }
  throw new DamageError("a place of a dictionary's table leads in a circle");
}

function nthBlock(arena: DictionaryArena, first: number, count: number): number {
  let block = linkTo(arena, first);
  for (let seen = 1; seen < count; seen++)
    block = linkTo(arena, arena.u32[entryWord(arena.layout, block) + LINK]!);
  return block;
}

function linkTo({ layout }: DictionaryArena, block: number): number {
  if (block === 0 || block > layout.blocks) throw new DamageError("a link of a dictionary leads nowhere");
  return block;
}

/** Key and value, into blocks that are linked already. */
function writeStream(arena: DictionaryArena, entry: number, { key, keyBytes, value }: Draft): void {
  const { u32, u8, layout } = arena;
  let block = entry;
  let byte = (entryWord(layout, block) + ENTRY_WORDS) * 4;
  let room = FIRST_BYTES;
  for (const bytes of [key.subarray(0, keyBytes), value]) {
    for (let written = 0; written < bytes.length; ) {
      if (room === 0) {
        block = linkTo(arena, u32[entryWord(layout, block) + LINK]!);
        byte = (entryWord(layout, block) + LINK + 1) * 4;
        room = MORE_BYTES;
      }
      const piece = Math.min(room, bytes.length - written);
      u8.set(bytes.subarray(written, written + piece), byte);
      written += piece;
      byte += piece;
      room -= piece;
    }
  }
}

/** All blocks free, no entries: what a new file is, and one whose links are damaged. */
export function emptyDictionary({ u32, u8, layout }: DictionaryArena): void {
  const version = Atomics.load(u32, DICT_VERSION);
  // No plan: whoever dies here leaves what only this mends.
  u32[DICT_CHANGES] = REBUILD;
  Atomics.store(u32, DICT_VERSION, (version | 1) >>> 0);
  writeFence();
  u8.fill(0, layout.marksByte, layout.hashWord * 4);
  u32.fill(0, layout.hashWord, layout.hashWord + layout.hashMask + 1);
  for (let block = 1; block <= layout.blocks; block++)
    u32[entryWord(layout, block) + LINK] = block === layout.blocks ? 0 : block + 1;
  u32[DICT_FREE_BLOCK] = 1;
  u32[DICT_FREE_BLOCKS] = layout.blocks;
  u32[DICT_OLDEST] = 0;
  u32[DICT_NEWEST] = 0;
  u32[DICT_ENTRIES] = 0;
  u32[DICT_CHANGES] = 0;
  Atomics.store(u32, DICT_VERSION, ((version | 1) + 1) >>> 0);
}
