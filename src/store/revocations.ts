/**
 * What was taken back: a fixed table in the header page, shared by all workers and kept as long as the
 * store's file is. Called by src/access, which knows what a grant is; here are marks: the digest of a name,
 * and the times between which it counts.
 *
 *   HEAD_REVOKED_VERSION   changes with every entry; who has seen it has read the table
 *   HEAD_REVOKED           MOST entries of 4 words: digest (2 words), issued before (0: whenever), until (0:
 *                          the entry is free)
 *
 * There are few of them: a token that is taken back is one that has not ended yet, and whoever has to take
 * back thousands says "all that were issued before now" in one. Written under the lock, `until` last; read
 * without it. Pairing: the version is stored when the entry is whole.
 */

import { REQUEST_MS, release, tryAcquire } from "./lock/lock.ts";
import type { Arena } from "./memory/arena.ts";
import {
  HEAD_REVOKED,
  HEAD_REVOKED_VERSION,
  REVOKED_ENTRIES,
  REVOKED_WORDS,
} from "./memory/layout-header.ts";

const DIGEST_LOW = 0;
const DIGEST_HIGH = 1;
const ISSUED_BEFORE = 2;
const UNTIL = 3;

export interface RevokedMark {
  /** 64 bits of a digest, as two words. */
  readonly low: number;
  readonly high: number;
  /** Seconds; what was issued then or later is not meant. 0: whatever was issued. */
  readonly issuedBeforeSec: number;
  readonly untilSec: number;
}

export type RevokeOutcome = "done" | "full" | "busy";

/** Those that count now. */
function revokedMarks({ u32 }: Arena, nowSec: number): RevokedMark[] {
  const marks: RevokedMark[] = [];
  for (let entry = 0; entry < REVOKED_ENTRIES; entry++) {
    const word = HEAD_REVOKED + entry * REVOKED_WORDS;
    const untilSec = Atomics.load(u32, word + UNTIL);
    if (untilSec <= nowSec) continue;
    marks.push({
      low: u32[word + DIGEST_LOW]!,
      high: u32[word + DIGEST_HIGH]!,
      issuedBeforeSec: u32[word + ISSUED_BEFORE]!,
      untilSec,
    });
  }
  return marks;
}

/** Store.revoked. */
export class RevokedTable {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Changes whenever the table does. */
  get version(): number {
    return Atomics.load(this.#arena.u32, HEAD_REVOKED_VERSION);
  }

  marks(nowSec: number): readonly RevokedMark[] {
    return revokedMarks(this.#arena, nowSec);
  }

  revoke(mark: RevokedMark, nowSec: number): RevokeOutcome {
    return revoke(this.#arena, mark, nowSec);
  }
}

/** The same name has one entry: the later one in its place, and never less than what stood there. */
export function revoke(arena: Arena, mark: RevokedMark, nowSec: number): RevokeOutcome {
  if (!tryAcquire(arena, REQUEST_MS)) return "busy";
  try {
    const word = placeFor(arena, mark, nowSec);
    if (word < 0) return "full";
    const { u32 } = arena;
    const isSame = isMark(arena, word, mark) && u32[word + UNTIL]! > nowSec;
    const beforeSec = isSame
      ? widest(u32[word + ISSUED_BEFORE]!, mark.issuedBeforeSec)
      : mark.issuedBeforeSec;
    const untilSec = isSame ? Math.max(u32[word + UNTIL]!, mark.untilSec) : mark.untilSec;
    // A reader in between sees no entry rather than one half of each.
    if (!isSame) Atomics.store(u32, word + UNTIL, 0);
    u32[word + DIGEST_LOW] = mark.low;
    u32[word + DIGEST_HIGH] = mark.high;
    u32[word + ISSUED_BEFORE] = beforeSec;
    Atomics.store(u32, word + UNTIL, untilSec);
    Atomics.add(u32, HEAD_REVOKED_VERSION, 1);
    return "done";
  } finally {
    release(arena);
  }
}

/** 0 means whatever was issued. */
const widest = (one: number, other: number): number => (one === 0 || other === 0 ? 0 : Math.max(one, other));

function isMark({ u32 }: Arena, word: number, { low, high }: RevokedMark): boolean {
  return u32[word + DIGEST_LOW] === low && u32[word + DIGEST_HIGH] === high;
}

/** That of the same name, else one that is free or over; -1: there is none. */
function placeFor(arena: Arena, mark: RevokedMark, nowSec: number): number {
  let free = -1;
  for (let entry = 0; entry < REVOKED_ENTRIES; entry++) {
    const word = HEAD_REVOKED + entry * REVOKED_WORDS;
    const isOver = arena.u32[word + UNTIL]! <= nowSec;
    if (!isOver && isMark(arena, word, mark)) return word;
    if (isOver && free < 0) free = word;
  }
  return free;
}
