/**
 * The memory of large bytes, given back at once when nobody needs them any more: pieces of a body, a body
 * that is stored, a message that all have. Left to the engine they wait for a collection, of which there may
 * be none for a second: 270 publishes of 1 MB held 250 MB. Freed, they stay resident for seconds where the
 * allocator had them, while it takes the next from elsewhere: so the kernel is told as well. A leaf.
 */
import { forgetPages } from "./forgotten-pages.ts";

/** What is smaller goes with the garbage: that is cheaper. */
export const LARGE_BYTES = 64 * 1024;
/** The last is kept for the next, if it is no longer than this. */
const MOST_SPARE_BYTES = 4 * 2 ** 20;
/** Messages of about the same length find each other's. */
const STEP_BYTES = 64 * 1024;

let spare: Uint8Array<ArrayBuffer> | null = null;
/** Since `giveBackSpare` was called last. */
let wasTaken = false;
/** Made here: a view of a part stands for all. */
const rooms = new WeakSet<ArrayBufferLike>();

/**
 * At least so many bytes, with anything in them; `likelyBytes`, if there is one as large already. Who has
 * them gives them back by `spend`, or leaves them to the engine.
 */
export function takeRoom(leastBytes: number, likelyBytes = leastBytes): Uint8Array<ArrayBuffer> {
  if (likelyBytes < LARGE_BYTES) return new Uint8Array(leastBytes);
  wasTaken = true;
  const taken = spare;
  const isEnough = taken !== null && taken.length >= likelyBytes;
  if (isEnough) spare = null;
  // Who announces much and sends little costs what it has sent.
  else if (leastBytes < LARGE_BYTES) return new Uint8Array(leastBytes);
  const room = isEnough ? taken : roomOf(leastBytes);
  rooms.add(room.buffer);
  return room;
}

/** Not zeroed: whoever takes it reads what he has written. */
const roomOf = (bytes: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES).buffer);

/** The bytes are gone behind this, in every view of them. A part of something larger is left alone. */
export function spend(bytes: Uint8Array): void {
  const { byteLength } = bytes;
  if (byteLength < LARGE_BYTES) return;
  // Asked for last: bytes of the runtime have no buffer before.
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer)) return;
  const isRoom = rooms.has(buffer);
  if (isRoom && spare === null && buffer.byteLength <= MOST_SPARE_BYTES)
    spare = new Uint8Array(buffer.transfer());
  else if (isRoom || byteLength === buffer.byteLength) giveBack(buffer);
}

/** If nobody has taken it for as long as this is called; once a second. */
export function giveBackSpare(): void {
  if (!wasTaken && spare !== null) {
    giveBack(spare.buffer);
    spare = null;
  }
  wasTaken = false;
}

function giveBack(buffer: ArrayBuffer): void {
  forgetPages(new Uint8Array(buffer));
  buffer.transfer(0);
}
