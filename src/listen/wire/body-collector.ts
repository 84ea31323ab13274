/**
 * Who reads the body of a request: whoever asked for it, or nobody, and it is dropped. Used by connection.ts.
 */
import type { BodyTaker } from "../../http/incoming.ts";
import { spend } from "../../http/spent-bytes.ts";

/** Keeps it: one copy as it comes, one when it is whole. */
export class WholeBody implements BodyTaker {
  readonly promise: Promise<Uint8Array<ArrayBuffer>>;
  readonly #resolve: (body: Uint8Array<ArrayBuffer>) => void;
  readonly #reject: (error: Error) => void;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push(bytes.slice(start, end));
    this.#length += end - start;
  }

  whole(): void {
    const body = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      body.set(piece, at);
      at += piece.length;
      // The head stands in a buffer with other bytes, and is left there.
      spend(piece);
    }
    this.#pieces.length = 0;
    this.#resolve(body);
  }

  failed(error: Error): void {
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
