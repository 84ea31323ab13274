/**
 * Who reads the body of a request: whoever asked for it, or nobody, and it is dropped. Used by connection.ts.
 */
import type { BodyTaker } from "../../http/incoming.ts";
import { spend, takeRoom } from "../../http/spent-bytes.ts";

const NOTHING = new Uint8Array(0);
const copyRange = Buffer.prototype.copy;

/**
 * Keeps it, in one piece that grows by doubling: a client that announces much and sends little costs what it
 * has sent. What it outgrows is given back at once.
 */
export class WholeBody implements BodyTaker {
  readonly promise: Promise<Uint8Array<ArrayBuffer>>;
  readonly #resolve: (body: Uint8Array<ArrayBuffer>) => void;
  readonly #reject: (error: Error) => void;
  /** No more will come than that. */
  readonly #mostBytes: number;
  #bytes: Uint8Array<ArrayBuffer> = NOTHING;
  #length = 0;

  /** `announcedBytes` -1: nobody knows how long it will be. */
  constructor(announcedBytes: number) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#mostBytes = announcedBytes < 0 ? Number.POSITIVE_INFINITY : announcedBytes;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) this.#grow(length);
    copyRange.call(bytes, this.#bytes, this.#length, start, end);
    this.#length = length;
  }

  #grow(leastBytes: number): void {
    const outgrown = this.#bytes;
    const doubled = Math.max(leastBytes, 2 * outgrown.length);
    const room = Math.max(leastBytes, Math.min(doubled, this.#mostBytes));
    this.#bytes = takeRoom(room, Number.isFinite(this.#mostBytes) ? this.#mostBytes : room);
    copyRange.call(outgrown, this.#bytes, 0, 0, this.#length);
    spend(outgrown);
  }

  whole(): void {
    const bytes = this.#bytes;
    this.#bytes = NOTHING;
    this.#resolve(bytes.length === this.#length ? bytes : bytes.subarray(0, this.#length));
  }

  failed(error: Error): void {
    spend(this.#bytes);
    this.#bytes = NOTHING;
    this.#reject(error);
  }
}

/** Drops it; `over` is told whether the next request can be read behind it. */
export class NoBody implements BodyTaker {
  readonly #over: (isReadable: boolean) => void;
  #left: number;

  constructor(mostBytes: number, over: (isReadable: boolean) => void) {
    this.#left = mostBytes;
    this.#over = over;
  }

  add(_bytes: Uint8Array, start: number, end: number): void {
    this.#left -= end - start;
    if (this.#left < 0) this.#over(false);
  }

  whole(): void {
    if (this.#left >= 0) this.#over(true);
  }

  failed(): void {
    this.#over(false);
  }
}
