/**
 * Follows the frames of a WebSocket client through bytes that come in any pieces, without unmasking or keeping them: whether a frame says
 * its length in more bytes than it needs, which RFC 6455 5.2 forbids and Bun's parser takes, and whether a message is unfinished. Used by
 * listen/relay.ts, which has the bytes; Bun's own server does not show them.
 *
 *    0               1               2 …                 mask
 *   +-+-+-+-+-------+-+-------------+-------------------+---------+
 *   |F|R|R|R|opcode |M| length (7)  | 126: 2, 127: 8    | M: 4    |
 *   +-+-+-+-+-------+-+-------------+-------------------+---------+
 */
const FINAL = 0x80;
const CONTROL = 0x08;
const MASKED = 0x80;
const MASK_BYTES = 4;
const LONGEST_HEAD = 10;
/** Lengths up to here stand in the second byte; these two say that 2 and 8 bytes with the length follow. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;
const MAX_IN_TWO = 0xffff;
const NOTHING = new Uint8Array(0);

export class ClientFrames {
  /** A frame came whose length is not minimal. What came after it is nobody's any more. */
  isFaulty = false;
  /** Of the current frame: what has not come of its mask and payload. */
  #left = 0;
  /** The head of the next frame as far as it has come. */
  readonly #head = new Uint8Array(LONGEST_HEAD);
  #headLength = 0;
  /** A fragment came that was not the last. */
  #isFragmented = false;
  #isControl = false;

  /** Messages that came whole. */
  finished = 0;

  /** In the middle of a frame or of a fragmented message. */
  get isUnfinished(): boolean {
    return this.#left > 0 || this.#headLength > 0 || this.#isFragmented;
  }

  /** Takes the next bytes and gives those that may be passed on: a head that is not whole yet goes with what follows it. */
  take(bytes: Uint8Array): Uint8Array {
    const held = this.#headLength === 0 ? NOTHING : this.#head.slice(0, this.#headLength);
    let at = 0;
    let good = 0;
    while (at < bytes.length && !this.isFaulty) {
      if (this.#left > 0) {
        const length = Math.min(this.#left, bytes.length - at);
        this.#left -= length;
        at += length;
        if (this.#left === 0) this.#end();
      } else {
        this.#head[this.#headLength++] = bytes[at++] ?? 0;
        if (this.#headLength < headLength(this.#head, this.#headLength)) continue;
        this.#begin();
      }
      if (!this.isFaulty) good = at;
    }
    const passed = bytes.subarray(0, good);
    // Where there are good bytes, what was held was the beginning of the first of them.
    return held.length === 0 || good === 0 ? passed : Buffer.concat([held, passed]);
  }

  /** The head is whole. */
  #begin(): void {
    const [first = 0, second = 0] = this.#head;
    const length = payloadLength(this.#head);
    this.isFaulty = !isMinimal(second & ~MASKED, length);
    this.#left = length + ((second & MASKED) === 0 ? 0 : MASK_BYTES);
    this.#headLength = 0;
    this.#isControl = (first & CONTROL) !== 0;
    // Control frames may come between the fragments of a message (RFC 6455 5.4).
    if (!this.#isControl) this.#isFragmented = (first & FINAL) === 0;
    if (this.#left === 0) this.#end();
  }

  #end(): void {
    if (!this.#isControl && !this.#isFragmented) this.finished++;
  }
}

/** Without the mask, as far as the bytes that are there tell. */
function headLength(head: Uint8Array, known: number): number {
  const length = known < 2 ? 0 : (head[1] ?? 0) & ~MASKED;
  if (length === IN_EIGHT_BYTES) return 10;
  return length === IN_TWO_BYTES ? 4 : 2;
}

function payloadLength(head: Uint8Array): number {
  const view = new DataView(head.buffer);
  const length = view.getUint8(1) & ~MASKED;
  if (length === IN_TWO_BYTES) return view.getUint16(2);
  // Beyond 2^53 it is only roughly right, and refused by whoever parses it.
  return length === IN_EIGHT_BYTES ? Number(view.getBigUint64(2)) : length;
}

function isMinimal(form: number, length: number): boolean {
  if (form === IN_TWO_BYTES) return length > SHORT;
  return form !== IN_EIGHT_BYTES || length > MAX_IN_TWO;
}

const CLOSE = 0x88;
const NO_MASK = [0, 0, 0, 0] as const;

/** The close frame a client would send: what a server is given to answer in a client's place. `reason` is short and ASCII. */
export function clientClose(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason, "latin1");
  return Buffer.from([CLOSE, MASKED | (2 + text.length), ...NO_MASK, code >> 8, code & 0xff, ...text]);
}
