/**
 * The keys of a shared dictionary, place by place of its table, so that no lock is held for long. Called by
 * shared-dictionary.ts.
 */
import { readFence } from "../memory/arena.ts";
import type { DictionaryArena } from "./shared-change.ts";
import { isOver } from "./shared-entries.ts";
import { DICT_VERSION, ENTRY_KEY_BYTES, ENTRY_NEXT } from "./shared-layout.ts";
import { copyStream, entryWord } from "./shared-reading.ts";
import { textOfKey } from "./shared-value.ts";

const READS = 8;
/** Of what cannot be read consistently no more than this is looked at. */
const MOST_ON_A_PLACE = 10_000;

/**
 * One that is there all the time is among them, and once, unless there are more than `limit`. `locked` runs
 * its work under the lock.
 */
export function keysOf(arena: DictionaryArena, limit: number, locked: (work: () => void) => void): string[] {
  const { u32, layout } = arena;
  const found: string[] = [];
  const nowMs = Date.now();
  for (let place = 0; place <= layout.hashMask && found.length < limit; place++) {
    if (u32[layout.hashWord + place] === 0 || readKeys(arena, place, nowMs, found)) continue;
    locked(() => keysAt(arena, place, nowMs, found));
  }
  return found.slice(0, limit);
}

/** Without the lock; false: it was changed again and again meanwhile. */
function readKeys(arena: DictionaryArena, place: number, nowMs: number, found: string[]): boolean {
  const { u32 } = arena;
  const before = found.length;
  for (let attempt = 0; attempt < READS; attempt++) {
    // Pairs with Change.commit.
    const version = Atomics.load(u32, DICT_VERSION);
    if ((version & 1) === 1) continue;
    keysAt(arena, place, nowMs, found);
    readFence();
    if (Atomics.load(u32, DICT_VERSION) === version) return true;
    found.length = before;
  }
  return false;
}

function keysAt(arena: DictionaryArena, place: number, nowMs: number, found: string[]): void {
  const { u32, layout } = arena;
  let entry = u32[layout.hashWord + place]!;
  for (let steps = 0; entry !== 0 && entry <= layout.blocks && steps < MOST_ON_A_PLACE; steps++) {
    const at = entryWord(layout, entry);
    const bytes = u32[at + ENTRY_KEY_BYTES]!;
    if (bytes <= layout.maxEntryBytes && !isOver(arena, entry, nowMs)) {
      const key = new Uint8Array(bytes);
      copyStream(arena, entry, 0, key);
      found.push(textOfKey(key));
    }
    entry = u32[at + ENTRY_NEXT]!;
  }
}
