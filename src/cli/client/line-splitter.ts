/**
 * Cuts a byte stream into lines at LF. For the stream transport and for `pub --lines`.
 *
 * Bytes stay bytes: a line may be anything but LF, so nothing is decoded here, and a CR before the LF belongs
 * to the line.
 */
import { PendingBytes } from "./pending-bytes.ts";

const LF = 10;

export class LineSplitter {
  readonly #pending: PendingBytes;

  /** A line longer than `maxBytes` makes push throw MessageTooLarge. */
  constructor(maxBytes: number) {
    this.#pending = new PendingBytes(maxBytes);
  }

  /** The complete lines this chunk ends, without their LF; the views are good until the next call. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      if (this.#pending.length === 0) {
        yield chunk.subarray(start, end);
      } else {
        this.#pending.append(chunk, start, end);
        yield this.#pending.view();
        this.#pending.clear();
      }
      start = end + 1;
    }
    this.#pending.append(chunk, start, chunk.length);
  }

  /** What came after the last LF, or null: the last line of a file may lack its end. */
  rest(): Uint8Array | null {
    return this.#pending.length === 0 ? null : this.#pending.view();
  }
}
