/**
 * The entries of one reply to XREAD, one after the other, where they lie in the bytes that came:
 * log-reader.ts asks for them, log-applier.ts takes them.
 *
 * Why not a list of lists of strings: three views of bytes and two lists an entry were half of what a message
 * cost a node that nobody of it wants, and as garbage as much again.
 */
import { EntryPieces } from "./entry-pieces.ts";

const NO_ENTRIES = "the engine's reply is no list of entries";
const [BULK, ARRAY, CR, ZERO] = [0x24, 0x2a, 0x0d, 0x30];

export class Entries {
  readonly bytes: Buffer;
  readonly count: number;
  /** Of the entry at hand: the same object for each. */
  readonly pieces = new EntryPieces();
  #left: number;
  #at: number;

  /** `from`: where a whole reply begins: a list of one stream, or none when nothing came. */
  constructor(bytes: Buffer, from: number) {
    this.bytes = bytes;
    this.#at = from;
    this.count = this.#begin();
    this.#left = this.count;
  }

  /** False: that was all. Throws where it is no entry of a stream. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    const { pieces } = this;
    if (this.#length(ARRAY) !== 2) throw new Error(NO_ENTRIES);
    pieces.begin(this.bytes);
    this.#piece(pieces);
    const fields = this.#length(ARRAY);
    for (let field = 0; field < fields; field++) this.#piece(pieces);
    return true;
  }

  #begin(): number {
    if (this.#length(ARRAY) <= 0) return 0;
    if (this.#length(ARRAY) !== 2) throw new Error(NO_ENTRIES);
    this.#pass(this.#length(BULK));
    return Math.max(0, this.#length(ARRAY));
  }

  #piece(pieces: EntryPieces): void {
    const length = this.#length(BULK);
    if (length < 0) throw new Error(NO_ENTRIES);
    pieces.add(this.#at, this.#at + length);
    this.#pass(length);
  }

  /** A string, and the end of its line. */
  #pass(length: number): void {
    this.#at += length + 2;
  }

  /** The number in the line that begins here, which is passed over; -1: it is null. */
  #length(kind: number): number {
    const { bytes } = this;
    let at = this.#at;
    if (bytes[at] !== kind) throw new Error(NO_ENTRIES);
    let value = 0;
    for (at++; at < bytes.length && bytes[at] !== CR; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      // `-1` is the only other number that it may be (resp.ts has looked).
      value = digit < 0 || value < 0 ? -1 : value * 10 + digit;
    }
    this.#at = at + 2;
    return value;
  }
}
