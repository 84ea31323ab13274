/**
 * Idempotency keys: which messages were put in with one, so that a publisher who never heard the answer may
 * send the same again. A fixed table, open-addressed, kept with the file; looked at under the lock that the
 * append takes anyway, so that of two workers one is told of the other's.
 *
 *   an entry (KEY_WORDS)
 *   +----------------------+------------------+------------------+--------+-------+
 *   | digest of channel    | hash of what was | position (two    | second | CHECK |
 *   | and key (four words) | sent (two words) | words)           |        |       |
 *   +----------------------+------------------+------------------+--------+-------+
 *
 * Every search looks at the same PROBES places behind the digest's own, whatever it finds: nothing is ever
 * taken out, and an entry that is past the window is a free one. Where none of them is free, the oldest is
 * given up, and counted: its key is then as good as new.
 *
 * An entry counts when its check word fits. It is written whole but for that before the change is armed, and
 * the check with the message (journal.ts), so that a death leaves both or none. Chaining, and a list by age,
 * were rejected: they would need a repair of their own.
 */

import { ADD_MESSAGE, JOURNAL_BLOCK, JOURNAL_KEY, JOURNAL_KIND } from "../lock/journal.ts";
import type { Arena } from "../memory/arena.ts";
import { growWide, setWide, wide } from "../memory/arena.ts";
import {
  KEY_BODY,
  KEY_CHECK,
  KEY_DIGEST,
  KEY_POSITION,
  KEY_SECOND,
  KEY_WORDS,
  type Layout,
} from "../memory/layout.ts";
import { HEAD_KEYS_GIVEN_UP } from "../memory/layout-header.ts";

/** What stands for a key in the table. */
export interface KeyMark {
  /** Four words, of the channel's name and the key. */
  readonly digest: Uint32Array;
  /** 64 bits of what was sent with it. */
  readonly bodyLow: number;
  readonly bodyHigh: number;
}

/** The key came with something else before. */
export const KEY_REUSED = -5;
export const KEY_UNKNOWN = -6;

const PROBES = 16;

const wordOf = ({ keysWord }: Layout, place: number): number => keysWord + place * KEY_WORDS;

/** Position of the message that the key came with before, KEY_REUSED, or KEY_UNKNOWN. Under the lock. */
export function findKey(arena: Arena, mark: KeyMark, nowSec: number, windowSec: number): number {
  const { u32, layout } = arena;
  for (let probe = 0; probe < Math.min(PROBES, layout.keys); probe++) {
    const at = wordOf(layout, placeAt(layout, mark, probe));
    if (!isDigest(u32, at, mark) || !isLive(u32, at, nowSec, windowSec)) continue;
    const isSame = u32[at + KEY_BODY] === mark.bodyLow && u32[at + KEY_BODY + 1] === mark.bodyHigh;
    return isSame ? wide(u32, at + KEY_POSITION) : KEY_REUSED;
  }
  return KEY_UNKNOWN;
}

/**
 * Writes down a key that is unknown, but for the check: to be counted with the message that is planned, by
 * rememberKey(). For JOURNAL_KEY. No table, as in stores that nobody configured: nothing is remembered.
 */
export function planKey(
  arena: Arena,
  mark: KeyMark,
  position: number,
  nowSec: number,
  windowSec: number,
): number {
  const { u32, layout } = arena;
  if (layout.keys === 0) return 0;
  const place = freePlace(arena, mark, nowSec, windowSec);
  const at = wordOf(layout, place);
  // First: half an entry is none.
  u32[at + KEY_CHECK] = 0;
  for (let word = 0; word < 4; word++) u32[at + KEY_DIGEST + word] = mark.digest[word]!;
  u32[at + KEY_BODY] = mark.bodyLow;
  u32[at + KEY_BODY + 1] = mark.bodyHigh;
  setWide(u32, at + KEY_POSITION, position);
  u32[at + KEY_SECOND] = nowSec;
  return place + 1;
}

/** Part of carrying out a publish; may be done twice. */
export function rememberKey({ u32, layout }: Arena): void {
  const key = u32[JOURNAL_KEY]!;
  if (key === 0) return;
  const at = wordOf(layout, key - 1);
  u32[at + KEY_CHECK] = checkOf(u32, at);
}

/**
 * The key planned with the message in this block, as JOURNAL_KEY has it, for a rebuild that finishes its
 * publish; 0: none.
 */
export function keyPlannedWith({ u32, layout }: Arena, block: number): number {
  const isAdding = u32[JOURNAL_KIND] === ADD_MESSAGE && u32[JOURNAL_BLOCK] === block;
  return isAdding && u32[JOURNAL_KEY]! <= layout.keys ? u32[JOURNAL_KEY]! : 0;
}

/** The positions mean nothing any more. */
export function forgetKeys({ u32, layout }: Arena): void {
  u32.fill(0, layout.keysWord, layout.keysWord + layout.keys * KEY_WORDS);
}

/** One that is free or past the window, else the oldest. */
function freePlace(arena: Arena, mark: KeyMark, nowSec: number, windowSec: number): number {
  const { u32, layout } = arena;
  let oldest = placeAt(layout, mark, 0);
  for (let probe = 0; probe < Math.min(PROBES, layout.keys); probe++) {
    const place = placeAt(layout, mark, probe);
    const at = wordOf(layout, place);
    if (!isLive(u32, at, nowSec, windowSec)) return place;
    if (u32[at + KEY_SECOND]! < u32[wordOf(layout, oldest) + KEY_SECOND]!) oldest = place;
  }
  growWide(arena, HEAD_KEYS_GIVEN_UP, wide(u32, HEAD_KEYS_GIVEN_UP) + 1);
  return oldest;
}

const placeAt = ({ keys }: Layout, { digest }: KeyMark, probe: number): number => (digest[0]! + probe) % keys;

function isDigest(u32: Uint32Array, at: number, { digest }: KeyMark): boolean {
  for (let word = 0; word < 4; word++) if (u32[at + KEY_DIGEST + word] !== digest[word]) return false;
  return true;
}

/** Whole and inside of the window; also where the clock was set back. */
const isLive = (u32: Uint32Array, at: number, nowSec: number, windowSec: number): boolean =>
  u32[at + KEY_CHECK] !== 0 &&
  Math.abs(nowSec - u32[at + KEY_SECOND]!) <= windowSec &&
  u32[at + KEY_CHECK] === checkOf(u32, at);

/** FNV-1a over the words; never 0. */
function checkOf(u32: Uint32Array, at: number): number {
  let check = 0x811c9dc5;
  for (let word = 0; word < KEY_CHECK; word++) check = Math.imul(check ^ u32[at + word]!, 0x01000193);
  return check >>> 0 || 1;
}
