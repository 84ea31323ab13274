/**
 * The body of a request that did not come with its head: read when somebody asks for it, or dropped behind
 * the answer if nobody did. One for each such request; most have none, or one that is there already. Used by
 * connection.ts.
 */
import type { BodyTaker } from "../../http/incoming.ts";
import { type BodyBounds, BodyReader, type BodySink } from "../http1/body-reader.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { NoBody, WholeBody } from "./body-collector.ts";

/**
 * So much of a body that nobody asked for is read and dropped, to keep the connection; of a longer one the
 * rest is not waited for.
 */
const MOST_DROPPED_BYTES = 256 * 1024;
/**
 * Chunks shorter than this are put together as far as they come in one piece: whoever takes a body does
 * something for each part, and a client may send chunks of a byte.
 */
const SMALL_BYTES = 1024;
const together = new Uint8Array(64 * 1024);

export class RequestBody implements BodySink {
  /** The client sends nothing of it before it hears that somebody wants it (RFC 9110 10.1.1). */
  wantsContinue: boolean;
  readonly #reader = new BodyReader();
  readonly #isTooLong: boolean;
  readonly #announcedBytes: number;
  #collector: BodyTaker | null = null;
  /** So much of it is in `together`, until the piece has been read. */
  #together = 0;

  constructor(head: RequestHead, bounds: BodyBounds) {
    this.wantsContinue = head.expectsContinue;
    this.#announcedBytes = head.contentLength;
    this.#isTooLong = this.#reader.begin(head, bounds) < 0;
  }

  /** It is read now, by somebody. */
  get isWanted(): boolean {
    return this.#collector !== null;
  }
  get isWhole(): boolean {
    return this.#reader.isDone;
  }
  /** Rather the end of the connection than to read it for nobody. */
  get isMuch(): boolean {
    return this.wantsContinue || this.#isTooLong || this.#announcedBytes > MOST_DROPPED_BYTES;
  }

  /** Rejects when it is too large, broken, or its sender leaves. */
  read(): Promise<Uint8Array<ArrayBuffer>> {
    const collector = new WholeBody(this.#announcedBytes);
    this.pour(collector);
    return collector.promise;
  }

  /** As it comes. */
  pour(taker: BodyTaker): void {
    if (this.#collector !== null) taker.failed(new Error("the body is read already"));
    else if (this.#isTooLong) taker.failed(new RangeError("the body is too large"));
    else this.#collector = taker;
  }

  drop(over: (isReadable: boolean) => void): void {
    this.#collector = new NoBody(MOST_DROPPED_BYTES, over);
  }

  /**
   * Where the bytes go on that are not of the body; -1: what is behind it cannot be understood, and whoever
   * reads was told.
   */
  take(bytes: Buffer): number {
    const at = this.#reader.take(bytes, 0, bytes.length, this);
    this.#tell();
    if (at >= 0) return at;
    this.fail(at === -413 ? new RangeError("the body is too large") : new Error("a chunk is malformed"));
    return -1;
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length >= SMALL_BYTES || this.#announcedBytes >= 0) {
      this.#tell();
      this.#collector?.add(bytes, start, end);
      return;
    }
    if (this.#together + length > together.length) this.#tell();
    for (let at = start; at < end; at++) together[this.#together++] = bytes[at] ?? 0;
  }

  #tell(): void {
    if (this.#together === 0) return;
    const own = together.slice(0, this.#together);
    this.#together = 0;
    this.#collector?.add(own, 0, own.length);
  }

  /** Call when it is whole and nothing of it is used any more. */
  finish(): void {
    const collector = this.#collector;
    this.#collector = null;
    collector?.whole();
  }

  fail(error: Error): void {
    const collector = this.#collector;
    this.#collector = null;
    collector?.failed(error);
  }
}
