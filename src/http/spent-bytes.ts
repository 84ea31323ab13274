/**
 * Gives the memory of large bytes back at once, when nobody needs them any more: pieces of a body, and a body
 * that is stored. Left to the engine they wait for a collection, of which there may be none for a second: 270
 * publishes of 1 MB held 250 MB. Used by publish/ and listen/wire/. A leaf.
 */

/** What is smaller goes with the garbage: that is cheaper. */
export const LARGE_BYTES = 64 * 1024;

/** The bytes are gone behind this, in every view of them. A part of something larger is left alone. */
export function spend(bytes: Uint8Array): void {
  const { byteLength } = bytes;
  if (byteLength < LARGE_BYTES) return;
  // Asked for last: bytes of the runtime have no buffer before.
  const { buffer } = bytes;
  if (byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
