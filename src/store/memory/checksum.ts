/**
 * One checksum over a store that was closed in order: the next open trusts its links only when not a bit has
 * changed since. Whole, because that costs less than following the links would: some 5 ms for 64 MiB, 20 ms
 * for 256 MiB, 0.2 s for 3 GiB (in memory; a cold disk takes as long as reading the file); a rebuild of full
 * ones takes 0.6, 1 and 6.5 s. Written and compared by file.ts. A file that fails is recovered from its
 * headers (recover.ts).
 */
import type { Arena } from "./arena.ts";
import {
  HEAD_BOOT,
  HEAD_CHECKSUM,
  HEAD_CLEAN,
  HEAD_LOCK,
  HEAD_MAIN_BIRTH,
  HEAD_MAIN_PID,
  HEAD_RING_HEAD,
  HEADER_BYTES,
} from "./layout-header.ts";

/**
 * Words that change between the last message and the next open: who holds the file, and this checksum itself.
 */
const LEFT_OUT: readonly (readonly [number, number])[] = [
  [HEAD_CLEAN, HEAD_CLEAN + 1],
  [HEAD_MAIN_PID, HEAD_MAIN_BIRTH + 1],
  // The lock with what tells of its owner, up to the next group of words.
  [HEAD_LOCK, HEAD_RING_HEAD],
  [HEAD_CHECKSUM, HEAD_CHECKSUM + 2],
  // Means something only in a file that was not closed.
  [HEAD_BOOT, HEAD_BOOT + 1],
];

/**
 * The native function is given no more at once, so that its argument's length stays a small integer
 * everywhere.
 */
const PIECE_BYTES = 64 * 1024 ** 2;

/** Under the lock, or when nobody else has the file. */
export function writeChecksum({ u32, u8 }: Arena): void {
  [u32[HEAD_CHECKSUM], u32[HEAD_CHECKSUM + 1]] = checksumOf(u8);
}

export function hasGoodChecksum({ u32, u8 }: Arena): boolean {
  const [low, high] = checksumOf(u8);
  return u32[HEAD_CHECKSUM] === low && u32[HEAD_CHECKSUM + 1] === high;
}

function checksumOf(u8: Uint8Array<ArrayBuffer>): readonly [low: number, high: number] {
  const header = new Uint32Array(u8.slice(0, HEADER_BYTES).buffer);
  for (const [from, to] of LEFT_OUT) header.fill(0, from, to);
  let sum = Bun.hash.xxHash3(header);
  for (let at = HEADER_BYTES; at < u8.length; at += PIECE_BYTES) {
    sum = Bun.hash.xxHash3(u8.subarray(at, at + PIECE_BYTES), sum);
  }
  return [Number(sum & 0xffffffffn), Number(sum >> 32n)];
}
