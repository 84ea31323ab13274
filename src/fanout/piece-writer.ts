/**
 * Where a carrier writes what it gives to many: for messages of usual size a buffer that is used again, for
 * large ones bytes that last (http/lasting-bytes.ts), with room around them for the frame that a door puts
 * there. Who is slow then holds these bytes and no copy, and the last of them gives them back. Used by
 * stream-carrier.ts and topic-carrier.ts.
 */
import { FRAME_ROOM, type LastingBytes, makeLasting } from "../http/lasting-bytes.ts";
import { ByteWriter } from "../wire/byte-writer.ts";

/** More than a batch of small messages has: those go round too often to have memory of their own. */
const LARGE_BYTES = 256 * 1024;
/** What a format adds to a large message, roughly; where it is more the writer grows. */
const ADDED_SHARE = 1 / 32;

export class PieceWriter {
  readonly #usual = new ByteWriter();
  #lasting: LastingBytes | null = null;
  /** Until `end`. */
  writer = this.#usual;
  #start = 0;

  /** For so many bytes of messages. What was written before is nobody's any more. */
  begin(messageBytes: number): ByteWriter {
    this.end();
    const isLarge = messageBytes >= LARGE_BYTES;
    this.#start = isLarge ? FRAME_ROOM : 0;
    if (isLarge) this.writer = new ByteWriter(Math.ceil(messageBytes * (1 + ADDED_SHARE)) + 4 * FRAME_ROOM);
    else this.#usual.reset();
    this.writer.length = this.#start;
    return this.writer;
  }

  /** What was written is given to many from now on. */
  view(): Uint8Array {
    const { writer } = this;
    if (this.#start === 0) return writer.view();
    if (this.#lasting === null) {
      writer.reserve(FRAME_ROOM);
      this.#lasting = makeLasting(writer.bytes);
      this.#lasting?.hold();
    }
    return writer.bytes.subarray(this.#start, writer.length);
  }

  /** All have been given it. */
  end(): void {
    this.writer = this.#usual;
    this.#lasting?.letGo();
    this.#lasting = null;
  }
}
