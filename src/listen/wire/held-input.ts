/**
 * Bytes that have come and wait: the beginning of a head, or what a client sends ahead of its answer. It
 * grows at its end, by doubling, so a head that comes byte by byte is copied in proportion to its length.
 * What lies in it stays as it is: requests refer to it.
 */
import { LARGE_BYTES } from "../../http/spent-bytes.ts";

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

/**
 * Not a few of a head that would keep all that came with them; nor a copy of half a megabyte for each request
 * that is taken off it.
 */
export function ownRest(bytes: Buffer, start: number, end: number): Buffer {
  if (start === 0 && end === bytes.length) return bytes;
  const rest = bytes.subarray(start, end);
  return 2 * rest.length < rest.buffer.byteLength ? Buffer.from(rest) : rest;
}

/**
 * Of a request whose body is still coming: its head, up to `bodyStart`, is copied, so that the piece it came
 * in can be given back once the part of the body in it was read.
 */
export const headStandsAlone = ({ length }: Buffer, bodyStart: number): boolean =>
  length >= LARGE_BYTES && bodyStart <= LARGE_BYTES / 4;
