/**
 * Payloads that prove themselves: who wrote them, and a checksum over all of it, so that a torn read cannot
 * look right.
 */
const HEAD_WORDS = 3;

/**
 * The bytes of message number `count` of a writer; the length varies so that chains of one to four blocks
 * occur.
 */
export function makePayload(writer: number, count: number): Uint8Array<ArrayBuffer> {
  const length = HEAD_WORDS * 4 + ((count * 37 + writer * 11) % 700);
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, HEAD_WORDS);
  bytes.fill((count * 7 + writer) & 255, HEAD_WORDS * 4);
  words[1] = writer;
  words[2] = count;
  words[0] = checksum(bytes, 0, length);
  return bytes;
}

export interface Proof {
  whole: boolean;
  writer: number;
  count: number;
}

/** Checks `length` bytes at `offset`; a payload of another length or mix than was written is not whole. */
export function provePayload(bytes: Uint8Array<ArrayBuffer>, offset: number, length: number): Proof {
  if (length < HEAD_WORDS * 4) return { whole: false, writer: -1, count: -1 };
  const view = new DataView(bytes.buffer, offset, length);
  const [sum, writer, count] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
  return { whole: sum === checksum(bytes, offset, length), writer, count };
}

/** Over everything behind the first word. */
const checksum = (bytes: Uint8Array<ArrayBuffer>, offset: number, length: number): number =>
  Bun.hash.crc32(bytes.subarray(offset + 4, offset + length));
