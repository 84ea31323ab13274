/** Shared dictionaries for tests, in folders of the store's fixture. */

import type { DictionaryArena } from "../../src/store/dictionary/shared-change.ts";
import { SharedDictionary as Dictionary } from "../../src/store/dictionary/shared-dictionary.ts";
import { attachDictionary, openDictionary } from "../../src/store/dictionary/shared-file.ts";
import {
  type DictionaryCounts,
  DictionaryLock,
  dictionaryCounts,
} from "../../src/store/dictionary/shared-keeping.ts";
import {
  DICT_ENTRIES,
  DICT_FREE_BLOCK,
  DICT_FREE_BLOCKS,
  DICT_NEWEST,
  DICT_OLDEST,
  DICT_VERSION,
  ENTRY_BLOCKS,
  ENTRY_LAST,
  ENTRY_NEWER,
  ENTRY_NEXT,
  ENTRY_OLDER,
  LINK,
} from "../../src/store/dictionary/shared-layout.ts";
import { entryWord } from "../../src/store/dictionary/shared-reading.ts";
import type { Complain } from "../../src/store/dictionary/shared-section.ts";
import { lockOwner } from "../../src/store/lock/lock.ts";
import { tempPath } from "./fixture.ts";

export const complain: Complain = (fault) => (fault === "busy" ? new Error("busy") : fault);

/** With what main knows of it. */
export class SharedDictionary extends Dictionary {
  readonly #arena: DictionaryArena;

  constructor(arena: DictionaryArena, faults: Complain) {
    super(arena, faults);
    this.#arena = arena;
  }

  counts(): DictionaryCounts {
    return dictionaryCounts(this.#arena);
  }

  lockOwner(): number {
    return lockOwner(this.#arena);
  }

  repairAfterDeath(pid: number): boolean {
    return new DictionaryLock(this.#arena).repairAfterDeath(pid);
  }
}

export function newArena(size = 64 * 1024): DictionaryArena {
  return openDictionary(tempPath(), size, false).arena;
}

export const newDictionary = (size?: number): SharedDictionary =>
  new SharedDictionary(newArena(size), complain);

export const attached = (path: string): SharedDictionary =>
  new SharedDictionary(attachDictionary(path), complain);

/**
 * What is wrong with its lists; empty: nothing. Every block is free or an entry's, and every entry is found
 * from both sides.
 */
export function dictionaryFaults(arena: DictionaryArena): string[] {
  const { u32, layout } = arena;
  const faults: string[] = [];
  const seen = new Set<number>();
  const meet = (block: number, what: string): boolean => {
    if (block < 1 || block > layout.blocks || seen.has(block)) faults.push(`${what}: block ${block}`);
    else seen.add(block);
    return faults.length === 0;
  };
  if ((u32[DICT_VERSION]! & 1) === 1) faults.push("a change is armed");
  if (lockOwner(arena) !== 0) faults.push("the lock is held");
  const entries: number[] = [];
  let older = 0;
  for (let entry = u32[DICT_OLDEST]!; entry !== 0 && meet(entry, "list"); ) {
    const at = entryWord(layout, entry);
    if (u32[at + ENTRY_OLDER] !== older) faults.push(`older of ${entry}`);
    let block = entry;
    for (let left = u32[at + ENTRY_BLOCKS]! - 1; left > 0; left--) {
      block = u32[entryWord(layout, block) + LINK]!;
      meet(block, `chain of ${entry}`);
    }
    if (block !== u32[at + ENTRY_LAST]) faults.push(`last of ${entry}`);
    entries.push(entry);
    older = entry;
    entry = u32[at + ENTRY_NEWER]!;
  }
  if (u32[DICT_NEWEST] !== older) faults.push("newest");
  if (u32[DICT_ENTRIES] !== entries.length) faults.push("entries");
  let free = u32[DICT_FREE_BLOCK]!;
  for (let left = u32[DICT_FREE_BLOCKS]!; left > 0 && meet(free, "free"); left--)
    free = u32[entryWord(layout, free) + LINK]!;
  if (seen.size !== layout.blocks) faults.push(`${seen.size} of ${layout.blocks} blocks`);
  let found = 0;
  for (let place = 0; place <= layout.hashMask; place++) {
    for (let entry = u32[layout.hashWord + place]!; entry !== 0 && found <= entries.length; found++) {
      if (!entries.includes(entry)) faults.push(`table leads to ${entry}`);
      entry = u32[entryWord(layout, entry) + ENTRY_NEXT]!;
    }
  }
  if (found !== entries.length) faults.push(`table has ${found}`);
  return faults;
}
