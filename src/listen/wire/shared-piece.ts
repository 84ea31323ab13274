/**
 * What is written to many: those who do not take all of it at once keep one copy, all together. Made by
 * chunk.ts and wire-socket.ts, kept by outlet.ts.
 */
export class SharedPiece {
  #copy: Buffer | null = null;

  /** The bytes of the piece from `from` on; where it lies is known to who writes it, and the same for all. */
  rest(bytes: Uint8Array, offset: number, length: number, from: number): Buffer {
    this.#copy ??= Buffer.from(bytes.subarray(offset, offset + length));
    return this.#copy.subarray(from);
  }
}
