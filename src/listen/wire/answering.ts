/**
 * The half of a connection that answers: the head of an answer, a body with its length, in chunks, or until
 * the end of the connection (RFC 9112 6), and the sink of a body that writes itself. What requests are is
 * connection.ts's, what leaves when is outlet.ts's.
 */
import type { BreakableSink, PulledStream } from "../../http/direct-answer.ts";
import { dateLine, type FieldLines, statusLine } from "./answer-head.ts";
import { chunkOf, sharedChunk } from "./chunk.ts";
import { CHUNKED, DIRECT, HEAD, LAST, OLD } from "./marks.ts";
import { Outlet } from "./outlet.ts";
import { UnderWay } from "./under-way.ts";

const LINE_END = Buffer.from("\r\n");
const CLOSE_LINE = Buffer.from("Connection: close\r\n");
const CHUNKED_LINE = Buffer.from("Transfer-Encoding: chunked\r\n");
const LENGTH = Buffer.from("Content-Length: ");
const NO_BODY_LINE = Buffer.from("Content-Length: 0\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Lengths that are none, for `writeHead`: the body comes as it comes; the head says nothing of a body. */
export const UNKNOWN_LENGTH = -1;
export const NO_LENGTH = -2;

export abstract class Answering extends Outlet implements BreakableSink {
  /** The body that is held; or who waits for its answer: it has either, so there is one field for both. */
  protected stream: Omit<PulledStream, "pull"> | null = null;
  protected way: UnderWay | null = null;

  protected get underWay(): UnderWay {
    this.way ??= new UnderWay();
    return this.way;
  }

  /** The answer is written, to its last byte. */
  protected abstract answered(): void;
  /** Its stream holds the connection from now on. */
  protected abstract held(): void;
  /** What answers say where the connection goes on. */
  protected abstract get keepLine(): Uint8Array;
  /** So much of the request is still to come that the connection ends rather than read it. */
  protected abstract get hasMuchUnread(): boolean;

  /** The answer to a HEAD: the same without its body. */
  get wantsNoBody(): boolean {
    return this.is(HEAD);
  }

  /** Call corked. `length` of the body, if the fields do not say; or UNKNOWN_LENGTH, or NO_LENGTH. */
  writeHead(status: number, lines: FieldLines, length: number, reason = ""): void {
    const isEndless = length === UNKNOWN_LENGTH && !lines.hasLength && !lines.hasCoding;
    if (lines.isLast || this.hasMuchUnread || (isEndless && this.is(OLD))) this.mark(LAST);
    const { out } = this;
    if (status === 200 && lines.isShared && !this.is(LAST)) out.pushBytes(lines.usual(this.keepLine));
    else {
      out.pushBytes(statusLine(status, reason));
      lines.pushTo(out);
      if (!lines.hasDate) out.pushBytes(dateLine());
      out.pushBytes(this.is(LAST) ? CLOSE_LINE : this.keepLine);
    }
    if (length === 0 && !lines.hasLength) out.pushBytes(NO_BODY_LINE);
    else if (length > 0 && !lines.hasLength) {
      out.pushBytes(LENGTH);
      out.pushInteger(length);
      out.pushBytes(LINE_END);
    }
    if (isEndless && !this.is(OLD)) out.pushBytes(CHUNKED_LINE);
    out.pushBytes(LINE_END);
  }

  /** Call corked. An answer that is all here. */
  writeWhole(status: number, lines: FieldLines, body: Uint8Array | null, length = body?.length ?? 0): void {
    this.writeHead(status, lines, length);
    if (body !== null && !this.is(HEAD)) this.push(body, 0, length);
    this.answered();
  }

  /** More of a body whose head is out. False: wait for `room`. */
  pushBody(bytes: Uint8Array, isEndless: boolean): boolean {
    if (!isEndless || this.is(OLD) || bytes.length === 0) return this.push(bytes);
    const chunk = chunkOf(bytes, false);
    return this.push(chunk.bytes, 0, chunk.length);
  }

  endBody(isEndless: boolean): void {
    if (isEndless && !this.is(OLD)) this.push(LAST_CHUNK);
    this.answered();
  }

  // --- the sink of a stream --------------------------------------------------------------------------------

  /** Call corked. */
  hold(status: number, lines: FieldLines, stream: PulledStream, reason = ""): void {
    this.writeHead(status, lines, UNKNOWN_LENGTH, reason);
    this.mark(CHUNKED, !this.is(OLD) && !lines.hasLength);
    if (this.is(HEAD)) {
      stream.cancel();
      this.answered();
      return;
    }
    this.stream = stream;
    this.mark(DIRECT, false);
    this.held();
    stream.pull(this);
  }

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.mark(DIRECT, highWaterMark <= 1);
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (!this.is(DIRECT)) this.corkLate();
    return this.#sendPiece(bytes, this.stream?.sharesBytes === true);
  }

  flush(): number | Promise<number> {
    this.uncorkLate();
    return this.isStalled ? this.room() : 0;
  }

  #sendPiece(bytes: Uint8Array, isShared: boolean): number | Promise<number> {
    if (bytes.length === 0 || this.stream === null) return 0;
    let isTaken: boolean;
    if (!this.is(CHUNKED)) isTaken = this.push(bytes);
    else {
      const chunk = chunkOf(bytes, isShared);
      isTaken = this.push(chunk.bytes, 0, chunk.length, isShared ? sharedChunk() : null);
    }
    return isTaken || this.isClosed ? bytes.length : this.room();
  }

  end(): number | Promise<number> {
    const flushed = this.flush();
    if (this.stream === null) return flushed;
    this.stream = null;
    this.endBody(this.is(CHUNKED));
    return flushed;
  }

  /** What was sent is not the whole, and the client is to see that. */
  close(): void {
    this.cutOff();
  }

  protected override filled(): void {
    this.stream?.filled?.();
  }

  // --- a client that is slow -------------------------------------------------------------------------------

  /** Resolves when the client has taken what was written, or is gone. */
  room(): Promise<number> {
    const { underWay } = this;
    underWay.room ??= Promise.withResolvers<number>();
    return underWay.room.promise;
  }

  protected tellRoom(): void {
    const { way } = this;
    if (way === null || way.room === null) return;
    const { room } = way;
    way.room = null;
    room.resolve(0);
  }
}
