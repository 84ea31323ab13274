/** What a FrameDecoder tells, one line a frame, for tests to compare. */
import type { FrameSink } from "../../src/wire/frame-sink.ts";

export class Heard implements FrameSink {
  readonly said: string[] = [];
  takesCompressed = false;
  /** So often it has not enough. */
  patience = Number.POSITIVE_INFINITY;
  /** Of the memory that stood behind a payload. */
  largestBuffer = 0;

  hasEnough(): boolean {
    return --this.patience < 0;
  }

  text(bytes: Buffer): void {
    this.#note("text", bytes, "utf8");
  }

  binary(bytes: Buffer): void {
    this.#note("binary", bytes, "hex");
  }

  compressed(opcode: number, bytes: Buffer): void {
    this.#note(`compressed ${opcode}`, bytes, "hex");
  }

  ping(payload: Buffer): void {
    this.#note("ping", payload, "latin1");
  }

  pong(payload: Buffer): void {
    this.#note("pong", payload, "latin1");
  }

  close(code: number, reason: string): void {
    this.said.push(`close ${code} ${reason}`);
  }

  fault(code: number, sentence: string): void {
    this.said.push(`fault ${code} ${sentence}`);
  }

  #note(kind: string, bytes: Buffer, encoding: BufferEncoding): void {
    this.said.push(`${kind} ${bytes.toString(encoding)}`);
    this.largestBuffer = Math.max(this.largestBuffer, bytes.buffer.byteLength);
  }
}
