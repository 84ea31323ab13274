/**
 * What main and the metrics want of a shared dictionary, and handlers do not: its counts, and its lock, which
 * is watched as the store's is (supervisor/store/lock-watch.ts).
 */

import { lockOwner, lockProgress, takeOver } from "../lock/lock.ts";
import { wide } from "../memory/arena.ts";
import { timesMended } from "../recovery/damage.ts";
import type { DictionaryArena } from "./shared-change.ts";
import { BLOCK_BYTES, DICT_ENTRIES, DICT_EVICTED, DICT_EXPIRED, DICT_FREE_BLOCKS } from "./shared-layout.ts";

export interface DictionaryCounts {
  readonly entries: number;
  readonly bytes: number;
  readonly usedBytes: number;
  readonly evicted: number;
  readonly expired: number;
  /** How often it had to be emptied, because its memory was damaged. */
  readonly emptied: number;
}

export function dictionaryCounts(arena: DictionaryArena): DictionaryCounts {
  const { u32, layout } = arena;
  return {
    entries: u32[DICT_ENTRIES]!,
    bytes: layout.blocks * BLOCK_BYTES,
    usedBytes: (layout.blocks - u32[DICT_FREE_BLOCKS]!) * BLOCK_BYTES,
    evicted: wide(u32, DICT_EVICTED),
    expired: wide(u32, DICT_EXPIRED),
    emptied: timesMended(arena),
  };
}

export class DictionaryLock {
  readonly #arena: DictionaryArena;

  constructor(arena: DictionaryArena) {
    this.#arena = arena;
  }

  lockOwner(): number {
    return lockOwner(this.#arena);
  }

  lockProgress(): number {
    return lockProgress(this.#arena);
  }

  /** True if this dead process held the lock; what it was at is finished. */
  repairAfterDeath(pid: number): boolean {
    return takeOver(this.#arena, pid);
  }
}
