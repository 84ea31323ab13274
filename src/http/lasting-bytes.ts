/**
 * Large bytes that several hold, and whose memory the last of them gives back: what fan-out gives to many
 * readers, of whom the slow ones need the rest of it for longer than the others. Left to the engine each such
 * message stays until a collection that finds it dead, and a copy for the slow ones beside it.
 *
 * They are known by their memory: what is handed on from door to door is a plain view. Made by fanout/, held
 * by listen/wire/. A leaf.
 */
import { LARGE_BYTES, spend } from "./spent-bytes.ts";

/**
 * Left free around what a maker writes, for the door that has to put a frame around it: the head of a chunk
 * or of a WebSocket frame is ten bytes at most.
 */
export const FRAME_ROOM = 16;

export class LastingBytes {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #holders = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    known.set(bytes.buffer, this);
  }

  hold(): void {
    this.#holders++;
  }

  /** Nobody may read them behind the last of these. */
  letGo(): void {
    this.#holders--;
    if (this.#holders === 0) spend(this.#bytes);
  }
}

const known = new WeakMap<ArrayBufferLike, LastingBytes>();

/** All of a writer's, from now on. Smaller ones stay garbage like any other. */
export function makeLasting(bytes: Uint8Array<ArrayBuffer>): LastingBytes | null {
  return bytes.byteLength < LARGE_BYTES ? null : new LastingBytes(bytes);
}

/** null: these are used again when the call is over, or small. */
export function lastingOf(bytes: Uint8Array): LastingBytes | null {
  // Asked for last: most bytes have no buffer of their own yet.
  return bytes.byteOffset + bytes.byteLength < LARGE_BYTES ? null : (known.get(bytes.buffer) ?? null);
}

/** The same bytes from `from` to `end`, held by one more; null: they do not last, and have to be copied. */
export function heldPart(bytes: Uint8Array, from: number, end: number): Buffer | null {
  const lasting = lastingOf(bytes);
  if (lasting === null) return null;
  lasting.hold();
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from);
}

/** The same for one who needs them in any case. */
export const lastingPart = (bytes: Uint8Array, from: number, end: number): Buffer =>
  heldPart(bytes, from, end) ?? heldByOne(Buffer.from(bytes.subarray(from, end)));

/** More behind what somebody holds, who holds that from now on. */
export function lastingSum(held: Buffer, more: Uint8Array): Buffer {
  const sum = heldByOne(Buffer.concat([held, more]));
  letGo(held);
  return sum;
}

function heldByOne(bytes: Buffer<ArrayBuffer>): Buffer {
  makeLasting(bytes)?.hold();
  return bytes;
}

/** Of one who holds them, or a part of them, and has nothing of them afterwards. */
export function letGo(bytes: Uint8Array | null): null {
  if (bytes !== null) lastingOf(bytes)?.letGo();
  return null;
}
