/**
 * What is written to many: those who do not take all of it at once keep one copy, all together, or the bytes
 * themselves where these last. Made by chunk.ts and wire-socket.ts, kept by outlet.ts.
 */
import { heldPart, lastingOf, makeLasting } from "../../http/lasting-bytes.ts";

export class SharedPiece {
  #copy: Buffer | null = null;

  /**
   * The bytes of the piece from `from` on, to let go of; where it lies is known to who writes it, and the
   * same for all.
   */
  rest(bytes: Uint8Array, offset: number, length: number, from: number): Buffer {
    const part = heldPart(bytes, offset + from, offset + length);
    if (part !== null) return part;
    const copy = this.#copyOf(bytes, offset, length);
    lastingOf(copy)?.hold();
    return copy.subarray(from);
  }

  #copyOf(bytes: Uint8Array, offset: number, length: number): Buffer {
    // Spent, it is empty: all who were slow have taken it, and this one comes later.
    if (this.#copy !== null && this.#copy.length > 0) return this.#copy;
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    makeLasting(copy);
    this.#copy = copy;
    return copy;
  }
}
