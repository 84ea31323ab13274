/**
 * Reads a connection's bytes with the parsers, whole or in pieces, and says in plain values what was seen.
 */
import { BodyReader } from "../../src/listen/http1/body-reader.ts";
import { latin1 } from "../../src/listen/http1/octets.ts";
import { parseHead } from "../../src/listen/http1/parse-head.ts";
import { DEFAULT_BOUNDS, type HeadBounds, RequestHead } from "../../src/listen/http1/request-head.ts";

export const BODY_BOUNDS = { bodyBytes: 1000, chunkLineBytes: 64, trailerBytes: 128 };

export interface Seen {
  readonly method: string;
  readonly target: string;
  /** As it was sent. */
  readonly rawTarget: string;
  readonly minor: number;
  readonly host: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly keepsAlive: boolean;
  readonly isWebSocket: boolean;
  readonly expects: boolean;
  body: string;
}

/**
 * What came of a connection's bytes: the requests, then the status that ended it, "more" if a request is not
 * whole, or "idle".
 */
export interface Outcome {
  readonly requests: readonly Seen[];
  readonly end: number | "more" | "idle";
}

/** A connection that keeps what it has in one buffer, moved at will, as a listener may. */
export class Connection {
  readonly requests: Seen[] = [];
  /** Where each request begins, also the one that is refused or not whole. */
  readonly starts: number[] = [];
  refused = 0;
  readonly #head = new RequestHead();
  readonly #body = new BodyReader();
  readonly #bounds: HeadBounds;
  #kept = Buffer.alloc(0);
  #isIdle = true;
  #current: Seen | null = null;
  #moves = 0;
  #consumed = 0;

  constructor(bounds: HeadBounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds;
  }

  push(piece: Uint8Array): void {
    if (this.refused !== 0) return;
    // Elsewhere in the buffer each time: positions must not stick to the first place.
    const before = ++this.#moves % 3;
    const bytes = Buffer.concat([Buffer.alloc(before), this.#kept, piece]);
    let at = before;
    while (this.refused === 0 && at < bytes.length) {
      if (this.#current === null) this.starts[this.requests.length] = this.#consumed + at - before;
      const next = this.#current === null ? this.#readHead(bytes, at) : this.#readBody(bytes, at);
      if (next < 0) this.refused = -next;
      if (next <= 0) break;
      at = next;
    }
    this.#kept = bytes.subarray(at);
    this.#consumed += at - before;
  }

  #readHead(bytes: Buffer, at: number): number {
    const head = this.#head;
    const next = parseHead(bytes, at, bytes.length, head, this.#bounds);
    this.#isIdle = next > 0;
    if (next <= 0) return next;
    this.#current = {
      method: head.method,
      target: head.target(bytes),
      rawTarget: latin1(bytes, head.targetStart, head.targetEnd),
      minor: head.minor,
      host: head.host(bytes),
      fields: head.fields(bytes),
      keepsAlive: head.keepsAlive,
      isWebSocket: head.upgradesToWebSocket,
      expects: head.expectsContinue,
      body: "",
    };
    const status = this.#body.begin(head, BODY_BOUNDS);
    if (status < 0) return status;
    this.#finish();
    return next;
  }

  #readBody(bytes: Buffer, at: number): number {
    const next = this.#body.take(bytes, at, bytes.length, this);
    this.#finish();
    return next;
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    if (this.#current !== null)
      this.#current.body += Buffer.from(bytes.subarray(start, end)).toString("latin1");
  }

  #finish(): void {
    if (!this.#body.isDone || this.#current === null) return;
    this.requests.push(this.#current);
    this.#current = null;
  }

  outcome(): Outcome {
    const isWhole = this.#isIdle && this.#current === null;
    return { requests: this.requests, end: this.refused || (isWhole ? "idle" : "more") };
  }
}

export const octets = (text: string): Buffer => Buffer.from(text, "latin1");

export function readPieces(pieces: readonly Uint8Array[], bounds?: HeadBounds): Outcome {
  const connection = new Connection(bounds);
  for (const piece of pieces) connection.push(piece);
  return connection.outcome();
}

export const readWhole = (text: string, bounds?: HeadBounds): Outcome => readPieces([octets(text)], bounds);

/** The outcomes of `text` cut in two at every byte, and byte by byte. */
export function* everySplit(text: string, bounds?: HeadBounds): Generator<readonly [string, Outcome]> {
  const bytes = octets(text);
  for (let at = 1; at < bytes.length; at++) {
    yield [`cut at ${at}`, readPieces([bytes.subarray(0, at), bytes.subarray(at)], bounds)];
  }
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  yield ["byte by byte", readPieces(single, bounds)];
}
