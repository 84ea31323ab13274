/**
 * A dictionary that all workers share: `context.shared(name)` of handlers (src/handlers), with one file each
 * (shared-file.ts). Every call is done when it returns. Reading takes no lock: it copies, then looks whether
 * anything was changed meanwhile, and does it again if so. What changes something takes the dictionary's own
 * lock for about as long as it takes to say so, and waits for it no longer than PATIENCE_MS
 * (shared-section.ts): then `complain("busy")` is thrown, and nothing was done.
 */

import { readFence } from "../memory/arena.ts";
import { DamageError } from "../recovery/damage.ts";
import { Change, type DictionaryArena } from "./shared-change.ts";
import { isOver, makeRoom, markRead, putEntry, removeEntry } from "./shared-entries.ts";
import { keysOf } from "./shared-keys.ts";
import {
  blocksForEntry,
  DICT_SEED,
  DICT_VERSION,
  ENTRY_EXPIRES,
  ENTRY_KEY_BYTES,
  ENTRY_KIND,
  ENTRY_NUMBER,
  ENTRY_VALUE_BYTES,
  NUMBER,
} from "./shared-layout.ts";
import { CHANGED, copyStream, Draft, entryWord, findEntry } from "./shared-reading.ts";
import { type Complain, Section } from "./shared-section.ts";
import { draftKey, draftValue, expiryOf, keptValue, type SharedValue } from "./shared-value.ts";

const READS = 8;
const MOST_KEYS = 1000;

const ANY = 0;
const ABSENT = 1;
const PRESENT = 2;

export class SharedDictionary {
  readonly #arena: DictionaryArena;
  readonly #change: Change;
  readonly #complain: Complain;
  readonly #section: Section;
  readonly #draft = new Draft();

  constructor(arena: DictionaryArena, complain: Complain) {
    this.#arena = arena;
    this.#change = new Change(arena);
    this.#complain = complain;
    this.#section = new Section(arena, complain);
  }

  get(key: string): SharedValue | undefined {
    this.#key(key);
    const { u32, f64, layout } = this.#arena;
    for (let attempt = 0; attempt < READS; attempt++) {
      // Pairs with Change.commit.
      const version = Atomics.load(u32, DICT_VERSION);
      if ((version & 1) === 1) continue;
      const entry = findEntry(this.#arena, this.#draft, version);
      if (entry === CHANGED) continue;
      const at = entryWord(layout, entry);
      const kind = entry === 0 ? 0 : u32[at + ENTRY_KIND]!;
      const isGone = entry === 0 || isOver(this.#arena, entry, Date.now());
      const number = kind === NUMBER ? f64[(at + ENTRY_NUMBER) / 2]! : 0;
      const bytes = isGone || kind === NUMBER ? null : this.#bytes(entry);
      readFence();
      if (Atomics.load(u32, DICT_VERSION) !== version) continue;
      if (isGone) return undefined;
      markRead(this.#arena, entry);
      if (kind === NUMBER) return number;
      if (bytes !== null) return keptValue(kind, bytes);
    }
    return this.#section.run(() => this.#getLocked());
  }

  /** Seconds that are left; Infinity: it has no end; undefined: there is none. */
  ttl(key: string): number | undefined {
    this.#key(key);
    return this.#section.run(() => {
      const entry = this.#living(Date.now());
      if (entry === 0) return undefined;
      const { f64, layout } = this.#arena;
      const expiresMs = f64[(entryWord(layout, entry) + ENTRY_EXPIRES) / 2]!;
      return expiresMs === 0 ? Number.POSITIVE_INFINITY : (expiresMs - Date.now()) / 1000;
    });
  }

  set(key: string, value: SharedValue, ttlSec?: number): void {
    this.#put(ANY, key, value, ttlSec);
  }

  /** False, and nothing done: it is there already. */
  add(key: string, value: SharedValue, ttlSec?: number): boolean {
    return this.#put(ABSENT, key, value, ttlSec);
  }

  /** False, and nothing done: it is not there. */
  replace(key: string, value: SharedValue, ttlSec?: number): boolean {
    return this.#put(PRESENT, key, value, ttlSec);
  }

  /** The sum; `initial` and `ttlSec` count where there was none. A number that is there keeps its time. */
  incr(key: string, by = 1, initial = 0, ttlSec?: number): number {
    this.#key(key);
    if (!Number.isFinite(by) || !Number.isFinite(initial))
      throw this.#complain(new TypeError("it counts in finite numbers"));
    const nowMs = Date.now();
    this.#value(initial + by);
    this.#draft.expiresMs = ttlSec === undefined ? 0 : this.#expiry(ttlSec, nowMs);
    this.#section.begin();
    let sum: number;
    try {
      sum = this.#count(by, nowMs);
    } catch (error) {
      throw this.#section.mended(error);
    }
    this.#section.end();
    if (Number.isNaN(sum)) throw this.#complain(new TypeError("what is there is no number"));
    if (!Number.isFinite(sum)) throw this.#complain(new RangeError("the sum would not be finite; it stays"));
    return sum;
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    this.#key(key);
    return this.#section.run(() => {
      const entry = findEntry(this.#arena, this.#draft, 0);
      if (entry <= 0) return false;
      const wasLiving = !isOver(this.#arena, entry, Date.now());
      removeEntry(this.#arena, this.#change, entry);
      return wasLiving;
    });
  }

  /**
   * The same if its value is still this number. For those who take something over of which each thinks that
   * it is his (src/handlers).
   */
  deleteIf(key: string, number: number): boolean {
    this.#key(key);
    return this.#section.run(() => {
      const entry = this.#living(Date.now());
      const { f64, layout } = this.#arena;
      if (entry === 0 || f64[(entryWord(layout, entry) + ENTRY_NUMBER) / 2] !== number) return false;
      removeEntry(this.#arena, this.#change, entry);
      return true;
    });
  }

  /**
   * Some keys, in no order; one that is there all the time is among them, and once, unless there are more
   * than `limit`.
   */
  keys(limit = MOST_KEYS): string[] {
    if (!Number.isInteger(limit) || limit < 1) throw this.#complain(new RangeError("a limit is 1 or more"));
    return keysOf(this.#arena, limit, (work) => this.#section.run(work));
  }

  // --- under the lock --------------------------------------------------------------------------------------

  #put(mode: number, key: string, value: SharedValue, ttlSec: number | undefined): boolean {
    // The value first: its toJSON may come here, too.
    this.#value(value);
    this.#key(key);
    const nowMs = Date.now();
    this.#draft.expiresMs = ttlSec === undefined ? 0 : this.#expiry(ttlSec, nowMs);
    const bytes = this.#draft.keyBytes + this.#draft.value.length;
    const { maxEntryBytes } = this.#arena.layout;
    if (bytes > maxEntryBytes)
      throw this.#complain(
        new RangeError(`key and value have ${bytes} bytes; this dictionary takes ${maxEntryBytes}`),
      );
    this.#section.begin();
    let isDone: boolean;
    try {
      isDone = this.#putLocked(mode, nowMs);
    } catch (error) {
      throw this.#section.mended(error);
    }
    this.#section.end();
    return isDone;
  }

  #putLocked(mode: number, nowMs: number): boolean {
    const isThere = mode !== ANY && this.#living(nowMs) !== 0;
    if ((mode === ABSENT && isThere) || (mode === PRESENT && !isThere)) return false;
    const arena = this.#arena;
    const count = blocksForEntry(this.#draft.keyBytes + this.#draft.value.length);
    const old = findEntry(arena, this.#draft, 0);
    if (old > 0 && this.#draft.kind === NUMBER && this.#isNumber(old)) {
      this.#change.begin();
      this.#change.setDouble(entryWord(arena.layout, old) + ENTRY_NUMBER, this.#draft.number);
      this.#change.setDouble(entryWord(arena.layout, old) + ENTRY_EXPIRES, this.#draft.expiresMs);
      this.#change.commit();
      markRead(arena, old);
      return true;
    }
    makeRoom(arena, this.#change, count, nowMs);
    // It may have had to go itself.
    putEntry(arena, this.#change, this.#draft, count, Math.max(0, findEntry(arena, this.#draft, 0)));
    return true;
  }

  /** Then another can stand in its place. */
  #isNumber(entry: number): boolean {
    const { u32, layout } = this.#arena;
    return u32[entryWord(layout, entry) + ENTRY_KIND] === NUMBER;
  }

  /** NaN: there is something else. Nothing is changed where the answer is not finite. */
  #count(by: number, nowMs: number): number {
    const arena = this.#arena;
    const entry = this.#living(nowMs);
    if (entry === 0) {
      this.#putLocked(ANY, nowMs);
      return this.#draft.number;
    }
    const at = entryWord(arena.layout, entry);
    if (arena.u32[at + ENTRY_KIND] !== NUMBER) return Number.NaN;
    const sum = arena.f64[(at + ENTRY_NUMBER) / 2]! + by;
    if (Number.isFinite(sum)) {
      this.#change.begin().setDouble(at + ENTRY_NUMBER, sum);
      this.#change.commit();
      markRead(arena, entry);
    }
    return sum;
  }

  #getLocked(): SharedValue | undefined {
    const entry = this.#living(Date.now());
    if (entry === 0) return undefined;
    const { u32, f64, layout } = this.#arena;
    const at = entryWord(layout, entry);
    const kind = u32[at + ENTRY_KIND]!;
    markRead(this.#arena, entry);
    if (kind === NUMBER) return f64[(at + ENTRY_NUMBER) / 2]!;
    const bytes = this.#bytes(entry);
    if (bytes === null) throw new DamageError("the length of a dictionary's value is none");
    return keptValue(kind, bytes);
  }

  /** The entry of the draft's key; 0: there is none, or its time is over. */
  #living(nowMs: number): number {
    const entry = findEntry(this.#arena, this.#draft, 0);
    if (entry === CHANGED) throw new DamageError("a place of a dictionary's table leads nowhere");
    return entry === 0 || isOver(this.#arena, entry, nowMs) ? 0 : entry;
  }

  // --- without the lock ------------------------------------------------------------------------------------

  /** A copy of its value; null: lengths that cannot be, because it is being changed. */
  #bytes(entry: number): Uint8Array | null {
    const { u32, layout } = this.#arena;
    const at = entryWord(layout, entry);
    const keyBytes = u32[at + ENTRY_KEY_BYTES]!;
    const valueBytes = u32[at + ENTRY_VALUE_BYTES]!;
    if (keyBytes + valueBytes > layout.maxEntryBytes) return null;
    const bytes = new Uint8Array(valueBytes);
    copyStream(this.#arena, entry, keyBytes, bytes);
    return bytes;
  }

  // --- what was given --------------------------------------------------------------------------------------

  #key(key: string): void {
    try {
      draftKey(this.#draft, key, this.#arena.u32[DICT_SEED]!);
    } catch (error) {
      throw this.#complain(error as Error);
    }
  }

  #value(value: unknown): void {
    try {
      draftValue(this.#draft, value);
    } catch (error) {
      throw this.#complain(error as Error);
    }
  }

  #expiry(ttlSec: number, nowMs: number): number {
    try {
      return expiryOf(ttlSec, nowMs);
    } catch (error) {
      throw this.#complain(error as Error);
    }
  }
}
