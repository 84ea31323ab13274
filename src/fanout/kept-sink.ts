/**
 * Keeps what is written until a flush, over however many turns that comes: for streams in several channels,
 * which have one write for all of them (held-writes.ts). Stands before the sink of their door, because Bun's
 * sends what it has with the end of each turn.
 */
import type { StreamSink } from "../http/direct-answer.ts";
import { ByteWriter } from "../wire/byte-writer.ts";

/** More leaves at once. */
const MOST_BYTES = 64 * 1024;
/** So many buffers are kept for the next, and none that grew large. */
const MOST_FREE = 2048;
const FREE_BYTES = 2048;
const free: ByteWriter[] = [];

export class KeptSink implements StreamSink {
  readonly #sink: StreamSink;
  #kept: ByteWriter | null = null;

  constructor(sink: StreamSink) {
    this.#sink = sink;
    // One write is all that has come together.
    sink.start({ highWaterMark: 1 });
  }

  start(): void {
    // It was.
  }

  write(bytes: Uint8Array): number | Promise<number> {
    this.#kept ??= free.pop() ?? new ByteWriter(FREE_BYTES);
    this.#kept.pushBytes(bytes);
    return this.#kept.length < MOST_BYTES ? bytes.length : this.flush();
  }

  flush(): number | Promise<number> {
    const kept = this.#kept;
    // What it was given before may not have left.
    if (kept === null) return this.#sink.flush();
    this.#kept = null;
    const written = this.#sink.write(kept.view());
    kept.reset();
    if (free.length < MOST_FREE && kept.bytes.length === FREE_BYTES) free.push(kept);
    return written;
  }

  end(): unknown {
    const written = this.flush();
    const ended = this.#sink.end();
    // A full socket: whoever ends the stream waits for, and owns, what fails of it.
    return written instanceof Promise ? Promise.all([written, ended]) : ended;
  }
}
