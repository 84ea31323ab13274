/**
 * A message as it was read of the log (entry.ts), on its way into the store: one object for all, filled anew
 * for each by log-applier.ts, because an object and its pieces' views would be most of what reading it costs.
 */
import type { Marks } from "../message.ts";
import type { LogMessage } from "../store/replica/replica-store.ts";

const NOTHING = new Uint8Array(0);
/** Below this a loop is quicker than the native copy. */
const LOOP_BYTES = 20;
const LONGEST_NAME = 256;
const LONGEST_DATA = 1024;

/**
 * Copies of short pieces, in one array for each length: a view costs more than the copy. Each lasts until the
 * next of its length.
 */
class Copies {
  readonly #arrays: (Uint8Array | null)[];

  constructor(longest: number) {
    this.#arrays = Array.from({ length: longest + 1 }, () => null);
  }

  of(bytes: Buffer, from: number, to: number): Uint8Array {
    const length = to - from;
    if (length >= this.#arrays.length) return bytes.subarray(from, to);
    let copy = this.#arrays[length] ?? null;
    if (copy === null) {
      copy = new Uint8Array(length);
      this.#arrays[length] = copy;
    }
    if (length > LOOP_BYTES) bytes.copy(copy, 0, from, to);
    else for (let at = 0; at < length; at++) copy[at] = bytes[from + at] ?? 0;
    return copy;
  }
}

export class LoggedMessage implements LogMessage {
  shard = 0;
  term = 0;
  n = 0;
  sec = 0;
  tag = 0;
  total = 0;
  top = 0;
  position = 0;
  base = 0;
  published = 0;
  isStored = false;
  channel: Uint8Array = NOTHING;
  data: Uint8Array = NOTHING;
  eventId: Uint8Array | null = null;
  eventType: Uint8Array | null = null;
  marks: Marks | null = null;
  readonly #names = new Copies(LONGEST_NAME);
  readonly #data = new Copies(LONGEST_DATA);

  /** Its channel's name and its data are there. */
  take(bytes: Buffer, nameFrom: number, nameTo: number, dataFrom: number, dataTo: number): void {
    this.channel = this.#names.of(bytes, nameFrom, nameTo);
    this.data = this.#data.of(bytes, dataFrom, dataTo);
  }
}
