/**
 * Where the body of a backend's answer ends (RFC 9112 6.3), and its pieces without chunks around them. One
 * for each answer that has one. Used by pass.ts.
 */
import { type BodyBounds, BodyReader, type BodySink } from "../listen/http1/body-reader.ts";
import type { ResponseHead } from "./response-head.ts";

/** How long it is does not matter: it is passed on as it comes. */
const BOUNDS: BodyBounds = {
  bodyBytes: Number.MAX_SAFE_INTEGER,
  chunkLineBytes: 4096,
  trailerBytes: 64 * 1024,
};

/** All of it, if it came with the head, as nearly always; null: it has none; undefined: more is to come. */
export function bodyHere(
  { status, contentLength, isChunked }: ResponseHead,
  method: string,
  rest: Uint8Array,
): Uint8Array<ArrayBuffer> | null | undefined {
  if (method === "HEAD" || status === 204 || status === 304 || contentLength === 0) return null;
  return rest.length === contentLength && !isChunked ? (rest as Uint8Array<ArrayBuffer>) : undefined;
}

export class ResponseBody implements BodySink {
  /** It ends with the connection. */
  readonly isEndless: boolean;
  readonly #reader: BodyReader | null;
  #pieces: Uint8Array[] = [];
  /** Something came behind its end. */
  hasMore = false;

  constructor(head: ResponseHead) {
    this.isEndless = !head.isChunked && head.contentLength < 0;
    this.#reader = this.isEndless ? null : new BodyReader();
    this.#reader?.begin(head, BOUNDS);
  }

  get isDone(): boolean {
    return this.#reader?.isDone ?? false;
  }

  /** What of `bytes` is body, in one piece; null: nothing; "bad": a chunk is malformed. */
  take(bytes: Uint8Array): Uint8Array | null | "bad" {
    if (bytes.length === 0) return null;
    if (this.#reader === null) return bytes;
    this.#pieces = [];
    const at = this.#reader.take(bytes, 0, bytes.length, this);
    if (at < 0) return "bad";
    if (at < bytes.length) this.hasMore = true;
    const [first, ...others] = this.#pieces;
    if (first === undefined) return null;
    return others.length === 0 ? first : Buffer.concat(this.#pieces);
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push(bytes.subarray(start, end));
  }
}
