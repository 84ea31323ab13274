/**
 * What a WebSocket client has begun to say and not finished: the head, frame or message in which its bytes
 * broke off. Made by frame-decoder.ts, for the few sockets that are in the middle of something.
 *
 * Memory follows what came, never what was announced: a message that is not whole takes at most twice its
 * bytes.
 */
import { COMPRESSED, CONTROL, FINAL, OPCODE, TEXT } from "./frame-layout.ts";
import { turned, unmask } from "./unmask.ts";
import { utf8Prefix } from "./utf8.ts";

const NOTHING = Buffer.alloc(0);

/** A message, or a control frame, whose bytes come one after the other. */
class Gathered {
  /** With COMPRESSED, if it is. */
  readonly opcode: number;
  length = 0;
  #bytes = NOTHING;
  /** Of a text: so far it is well-formed. */
  #checked = 0;

  constructor(opcode: number) {
    this.opcode = opcode;
  }

  get payload(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  /** `most`: as long as it can become. */
  add(piece: Buffer, from: number, to: number, most: number): void {
    const needed = this.length + to - from;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.#bytes.length, most)));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, this.length, from, to);
    this.length = needed;
  }

  /**
   * False: it is a text, and what came of it is not well-formed, or ends within a character though nothing
   * follows.
   */
  isGood(isWhole: boolean): boolean {
    if (this.opcode !== TEXT) return true;
    this.#checked = utf8Prefix(this.#bytes, this.#checked, this.length);
    return this.#checked >= 0 && (!isWhole || this.#checked === this.length);
  }
}

export class UnfinishedFrames {
  /** The beginning of a head. */
  head: Buffer | null = null;
  /** Bytes that have not come of the current frame. */
  left = 0;
  /** The current frame's first byte, and its mask for the bytes that are left. */
  #first = 0;
  #mask = 0;
  #message: Gathered | null = null;
  /** Such frames come between the fragments of a message (RFC 6455 5.4). */
  #control: Gathered | null = null;

  get isInMessage(): boolean {
    return this.#message !== null;
  }

  get isEmpty(): boolean {
    return this.head === null && this.left === 0 && this.#message === null;
  }

  /** Bytes of the message so far. */
  get messageBytes(): number {
    return this.#message?.length ?? 0;
  }

  beginFrame(first: number, length: number, mask: number): void {
    this.#first = first;
    this.left = length;
    this.#mask = mask;
    const opcode = first & (OPCODE | COMPRESSED);
    if ((opcode & CONTROL) !== 0) this.#control = new Gathered(opcode);
    else this.#message ??= new Gathered(opcode);
  }

  /** Takes what belongs to the current frame, unmasked in place. False: see Gathered.isGood. */
  add(piece: Buffer, from: number, to: number, maxMessageBytes: number): boolean {
    const gathered = this.#control ?? this.#message;
    if (gathered === null) return true;
    unmask(piece, from, to, this.#mask);
    this.#mask = turned(this.#mask, to - from);
    this.left -= to - from;
    const isLast = (this.#first & FINAL) !== 0;
    gathered.add(piece, from, to, isLast ? gathered.length + (to - from) + this.left : maxMessageBytes);
    return gathered.isGood(isLast && this.left === 0);
  }

  /** The current frame is whole: what it completes. */
  endFrame(): Gathered | null {
    const whole = this.#control ?? this.#message;
    if (this.#control !== null) this.#control = null;
    else if ((this.#first & FINAL) === 0) return null;
    else this.#message = null;
    return whole;
  }
}
