/**
 * A held stream as one gzip member that never makes its reader wait (push-stream spec 4.15): stands between a
 * StreamConnection and Bun's sink for those clients that asked for it, so that the others pay nothing.
 *
 *   gzip header | write | write | … | empty last block, CRC-32, length      (RFC 1952 2.3)
 *                └ a raw deflate of its own, ended by a sync flush: whole bytes, readable now (RFC 1951 2.3)
 *
 * A deflate state of its own would be 256 KB for each connection. Without one each write is compressed for
 * itself, so that all readers of a format share the work; what is left per connection is a checksum and a
 * length.
 */

import { constants, crc32, deflateRawSync } from "node:zlib";
import type { StreamSink } from "../http/direct-answer.ts";

/** Magic, deflate, no flags, no time, no hint, Unix. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** A last block with nothing in it, in fixed codes: 1, 01, 0000000. */
const LAST_BLOCK = Uint8Array.of(3, 0);
const TRAILER_BYTES = 8;

export class GzipSink implements StreamSink {
  readonly #sink: StreamSink;
  readonly #level: number;
  #crc = 0;
  #length = 0;
  #begun = false;

  constructor(sink: StreamSink, level: number) {
    this.#sink = sink;
    this.#level = level;
  }

  start(options: { highWaterMark: number }): unknown {
    return this.#sink.start(options);
  }

  write(bytes: Uint8Array): number | Promise<number> {
    // An empty text would cost a block that says nothing.
    if (bytes.length === 0) return 0;
    this.#crc = crc32(bytes, this.#crc);
    this.#length += bytes.length;
    const block = deflated(bytes, this.#level);
    return this.#sink.write(this.#begun ? block : this.#begin(block));
  }

  flush(): number | Promise<number> {
    return this.#sink.flush();
  }

  end(): unknown {
    const trailer = new Uint8Array(LAST_BLOCK.length + TRAILER_BYTES);
    trailer.set(LAST_BLOCK);
    const view = new DataView(trailer.buffer, LAST_BLOCK.length);
    view.setUint32(0, this.#crc, true);
    // Modulo 2^32, as the RFC has it.
    view.setUint32(4, this.#length, true);
    const written = this.#sink.write(this.#begun ? trailer : this.#begin(trailer));
    const ended = this.#sink.end();
    // A full socket: whoever ends the stream waits for, and owns, what fails of it.
    return written instanceof Promise ? Promise.all([written, ended]) : ended;
  }

  /** In one write with what follows: one send. */
  #begin(next: Uint8Array): Uint8Array {
    this.#begun = true;
    const both = new Uint8Array(HEADER.length + next.length);
    both.set(HEADER);
    both.set(next, HEADER.length);
    return both;
  }
}

/**
 * The last write and what it became, for as long as the turn lasts: fan-out hands one view to all readers of
 * a format.
 */
let lastBytes: Uint8Array | null = null;
let lastLevel = 0;
let lastBlock: Uint8Array = HEADER;

function deflated(bytes: Uint8Array, level: number): Uint8Array {
  if (bytes === lastBytes && level === lastLevel) return lastBlock;
  // A view may show other bytes in the next turn.
  if (lastBytes === null) queueMicrotask(forget);
  lastBytes = bytes;
  lastLevel = level;
  lastBlock = deflateRawSync(bytes, { level, finishFlush: constants.Z_SYNC_FLUSH });
  return lastBlock;
}

function forget(): void {
  lastBytes = null;
  lastBlock = HEADER;
}
