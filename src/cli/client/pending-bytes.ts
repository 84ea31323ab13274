/**
 * Bytes of a line or an event that has not ended yet, with a hard upper bound. Used by the line splitter and
 * the SSE parser.
 *
 * One growing buffer, not a list of chunks: a server that sends 64 MiB one byte at a time would make a list
 * of 64 million views, hundreds of times the memory the bound promises.
 */

/** Thrown when a peer sends a longer line or message than we are ready to hold. */
/** Upper bound of one message here: input that never ends must not eat this machine's memory. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export class MessageTooLarge extends Error {
  readonly maxBytes: number;
  constructor(maxBytes: number) {
    super(`sent a message larger than ${maxBytes >> 20} MiB`);
    this.name = "MessageTooLarge";
    this.maxBytes = maxBytes;
  }
}

const SMALL_BYTES = 4096;
/** A buffer that grew beyond this is given back once its content was taken. */
const KEEP_BYTES = 1 << 20;

export class PendingBytes {
  readonly #maxBytes: number;
  #bytes = new Uint8Array(SMALL_BYTES);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Appends source[start, end). Throws MessageTooLarge. */
  append(source: Uint8Array, start: number, end: number): void {
    const needed = this.#length + (end - start);
    if (needed > this.#maxBytes) throw new MessageTooLarge(this.#maxBytes);
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#bytes.set(source.subarray(start, end), this.#length);
    this.#length = needed;
  }

  /** A view of what is held, good until the next append or clear. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > KEEP_BYTES) this.#bytes = new Uint8Array(SMALL_BYTES);
  }

  #grow(needed: number): void {
    const next = new Uint8Array(Math.min(this.#maxBytes, Math.max(needed, this.#bytes.length * 2)));
    next.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = next;
  }
}
