/**
 * Bytes that have come and wait: the beginning of a head, or what a client sends ahead of its answer. It
 * grows at its end, by doubling, so a head that comes byte by byte is copied in proportion to its length.
 * What lies in it stays as it is: requests refer to it.
 */
export class HeldInput {
  bytes: Buffer;
  length: number;

  /** The bytes are its own from now on. */
  constructor(bytes: Buffer, length: number) {
    this.bytes = bytes;
    this.length = length;
  }

  add(more: Buffer): void {
    const length = this.length + more.length;
    if (length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    more.copy(this.bytes, this.length);
    this.length = length;
  }

  /** All of it. */
  view(): Buffer {
    return this.bytes.length === this.length ? this.bytes : this.bytes.subarray(0, this.length);
  }
}
