/**
 * A request as the roles see it, whichever door it came by. Bun's own `Request` is one. A listener that reads
 * the bytes itself (listen/wire/) hands in its own, which makes Headers and the like only where somebody asks
 * for them: publishing and subscribing do not. A leaf: every stage names it.
 */
import type { Peer } from "./peer.ts";

/** What a request asks for (RFC 6455 4.2.1). "other": another protocol, or another version of WebSocket. */
export type Handshake = "none" | "other" | "good";

export interface Incoming {
  readonly method: string;
  /** Absolute, or a path alone where there is no Host (Bun's door, HTTP/1.0). */
  readonly url: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  /** null: it has none, or `bytes` is the way to it. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /** Of Bun's own this is half a microsecond less than `arrayBuffer` and a view of it. */
  bytes(): Promise<Uint8Array>;
  /** Where the door keeps the bytes of the request; undefined: it does not. */
  readonly exchange?: Exchange;
}

/**
 * The request on its connection. Good for as long as the request is looked at; who holds the connection
 * longer keeps none of it.
 */
export interface Exchange {
  /** Taken when the connection was accepted. */
  readonly peer: Peer;
  /** It came over a connection more than there may be. */
  readonly isExtra: boolean;
  /** Path and query as they stood on the request line, but for what no URL may hold. */
  readonly target: string;
  /** A field's value as `Headers.get` gives it; `name` in lower case. */
  field(name: string): string | null;
  readonly handshake: Handshake;
  /** Bytes of the body, as announced; -1: it has none, or comes in chunks. */
  readonly contentLength: number;
  /**
   * The whole body if it is here already, else null. Good until the next request is looked at: copy what is
   * kept.
   */
  bodyNow(): Uint8Array | null;
  /** Tells, once, that the client has left before it was answered. */
  whenGone(listener: Gone): void;
  /** All fields as they were sent, in their order. */
  fields(): readonly (readonly [name: string, value: string])[];
  /** More of the body is to come than `bodyNow` has. */
  readonly hasMore: boolean;
  /** Gives the body to `taker` as it comes, at once what is here. It cannot be read otherwise any more. */
  pourBody(taker: BodyTaker): void;
  /** Between these the client is not read from. */
  pauseBody(): void;
  resumeBody(): void;
  /**
   * Writes `head`, and leaves the connection to another protocol; null: the client is gone, or its request is
   * not over.
   */
  goOver(head: Uint8Array, taker: RawTaker): RawEnd | null;
}

/** Who is given a body as it comes. */
export interface BodyTaker {
  /** The bytes from `start` to `end`, which may be used again after the call. */
  add(bytes: Uint8Array, start: number, end: number): void;
  whole(): void;
  failed(error: Error): void;
}

/** A connection without HTTP, as whoever speaks the other protocol sees it. */
export interface RawEnd {
  /** False: nothing more until `roomy`. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** When everything that was written is out. */
  end(): void;
  cutOff(): void;
}

export interface RawTaker {
  came(bytes: Uint8Array): void;
  roomy(): void;
  closed(): void;
}

/** Without making Headers where the door has the bytes. `name` in lower case. */
export function fieldOf(request: Incoming, name: string): string | null {
  const { exchange } = request;
  return exchange === undefined ? request.headers.get(name) : exchange.field(name);
}

/** Who waits for what comes of a request, and is told that its client does not. */
export interface Gone {
  cancel(): void;
}
