/**
 * One change of a shared dictionary, so that a death in the middle of it costs nothing: it is planned as
 * pairs of (word, new value) in the file's header, armed by one atomic store, carried out, and disarmed. The
 * same steps as journal.ts, without kinds: a dictionary changes a dozen words at a time, so the words
 * themselves can stand in the plan.
 *
 *   killed before arming    nothing has happened: what was written lies in free blocks
 *   killed afterwards       whoever repairs writes the pairs once more, to the same effect
 *
 * Pairing: DICT_VERSION is odd from arming to disarming. Readers without the lock look at it before and
 * after; one store says both things.
 */
import { type Arena, writeFence } from "../memory/arena.ts";
import {
  DICT_CHANGE,
  DICT_CHANGES,
  DICT_EXPIRED,
  DICT_FREE_BLOCK,
  DICT_VERSION,
  type DictionaryLayout,
  MOST_CHANGES,
} from "./shared-layout.ts";

/** The mapped file of a dictionary, as the functions over it see it. */
export interface DictionaryArena extends Pick<Arena, "path" | "u32" | "i32" | "u8" | "f64" | "fault"> {
  readonly layout: DictionaryLayout;
  readonly mending: DictionaryMending;
}

export interface DictionaryMending {
  redo(arena: DictionaryArena): boolean;
  rebuild(arena: DictionaryArena): void;
}

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** One a dictionary and process, used again. Under the lock. */
export class Change {
  readonly #u32: Uint32Array;
  #count = 0;

  constructor({ u32 }: Pick<DictionaryArena, "u32">) {
    this.#u32 = u32;
  }

  begin(): this {
    this.#count = 0;
    return this;
  }

  /** As it will be. */
  get(word: number): number {
    const at = this.#find(word);
    return at < 0 ? this.#u32[word]! : this.#u32[at + 1]!;
  }

  set(word: number, value: number): void {
    const known = this.#find(word);
    if (known >= 0) this.#u32[known + 1] = value;
    else this.#add(word, value);
  }

  /** A word that this change has not set yet. */
  #add(word: number, value: number): void {
    if (this.#count === MOST_CHANGES)
      throw new RangeError("a change of a dictionary is larger than its plan");
    const at = DICT_CHANGE + 2 * this.#count++;
    this.#u32[at] = word;
    this.#u32[at + 1] = value;
  }

  /** Two words, not set before in this change. */
  setDouble(word: number, value: number): void {
    double[0] = value;
    this.#add(word, halves[0]!);
    this.#add(word + 1, halves[1]!);
  }

  commit(): void {
    const u32 = this.#u32;
    u32[DICT_CHANGES] = this.#count;
    const version = u32[DICT_VERSION]!;
    // Pairs with the loads of whoever reads without the lock, and with redo.
    Atomics.store(u32, DICT_VERSION, (version | 1) >>> 0);
    writeFence();
    carryOut(u32);
    Atomics.store(u32, DICT_VERSION, ((version | 1) + 1) >>> 0);
  }

  #find(word: number): number {
    const u32 = this.#u32;
    for (let at = DICT_CHANGE + 2 * (this.#count - 1); at >= DICT_CHANGE; at -= 2) {
      if (u32[at] === word) return at;
    }
    return -1;
  }
}

function carryOut(u32: Uint32Array): void {
  const end = DICT_CHANGE + 2 * u32[DICT_CHANGES]!;
  for (let at = DICT_CHANGE; at < end; at += 2) u32[u32[at]!] = u32[at + 1]!;
}

/** Finishes what a dead owner of the lock was at. False: the plan is not to be believed. Under the lock. */
export function redoChange({ u32, layout }: DictionaryArena): boolean {
  const version = Atomics.load(u32, DICT_VERSION);
  if ((version & 1) === 0) return true;
  const count = u32[DICT_CHANGES]!;
  if (count > MOST_CHANGES) return false;
  for (let at = DICT_CHANGE; at < DICT_CHANGE + 2 * count; at += 2) {
    if (!mayBeChanged(u32[at]!, layout)) return false;
  }
  carryOut(u32);
  Atomics.store(u32, DICT_VERSION, (version + 1) >>> 0);
  return true;
}

/** The header's own counts, or what lies behind the read marks: never the lock, the shape or the plan. */
const mayBeChanged = (word: number, { hashWord, size }: DictionaryLayout): boolean =>
  (word >= DICT_FREE_BLOCK && word < DICT_EXPIRED + 2) || (word >= hashWord && word < size / 4);
