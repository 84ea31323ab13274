/**
 * What is rendered for readers that are behind, one after the other. Who is behind by the same large message
 * as the last one is given the same bytes as the same object: its door frames that once, and of what sockets
 * have not taken all together keep one copy (listen/wire/outlet.ts). Without it 200 slow readers of a message
 * of 1 MB held 200 MB. Used by catch-up.ts.
 *
 * By comparing bytes, not by channel and id: what was evicted meanwhile, or is told of a gap, may differ.
 */
import { FrameBatch } from "../http/peer-socket.ts";
import { spend } from "../http/spent-bytes.ts";
import { ByteWriter } from "../wire/byte-writer.ts";

/** Below this a copy each is nothing beside the socket's own buffer. */
const LARGE_BYTES = 64 * 1024;

export class RenderedPieces {
  /** Where the next is rendered. */
  writer = new ByteWriter();
  /** Its bytes are those of `#last`. */
  #kept: ByteWriter | null = null;
  #last: Uint8Array | null = null;
  #batch = new FrameBatch();

  /** What is in the writer. Small pieces are good until the writer is used again. */
  piece(): Uint8Array {
    const view = this.writer.view();
    if (view.length < LARGE_BYTES) return view;
    const last = this.#last;
    if (last !== null && last.length === view.length && Buffer.compare(last, view) === 0) return last;
    // Its bytes must stay: the next is rendered where the last but one was.
    const spare = this.#kept ?? new ByteWriter();
    this.#kept = this.writer;
    this.writer = spare;
    this.#last = view;
    this.#batch = new FrameBatch();
    return view;
  }

  /** What those who are given this piece have in common; null: nothing. */
  batchOf(piece: Uint8Array): FrameBatch | null {
    return piece === this.#last ? this.#batch : null;
  }

  /** Nobody is behind any more. */
  forget(): void {
    if (this.#last === null) return;
    this.#last = null;
    for (const { bytes } of [this.writer, this.#kept ?? this.writer]) spend(bytes);
    this.#kept = null;
    this.#batch = new FrameBatch();
    this.writer = new ByteWriter();
  }
}
