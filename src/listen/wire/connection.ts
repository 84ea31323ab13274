/**
 * One TCP connection that speaks HTTP/1.1 (RFC 9112): requests come in, one after the other, and each is answered before the next is
 * looked at. It is also the sink of a held stream, so a subscriber that waits is this object and its stream, and nothing else.
 *
 *   IDLE ──head──► BUSY ──answer──► IDLE          the answer is a Response, or bytes that many share (direct-answer.ts)
 *                   │ └──stream──► HELD ──end──► IDLE
 *                   └──upgrade──► the socket belongs to a WireSocket
 *   any ──last answer, fault, deadline──► CLOSING: what is unsent goes out, then our end is closed; what still comes is dropped
 *
 * While it is not IDLE what comes is kept for later, up to a bound; behind that the client is not read from.
 */
import {
  type Answer,
  type BreakableSink,
  HeldAnswer,
  type PulledStream,
  SharedAnswer,
} from "../../direct-answer.ts";
import { acceptKey, socketOffer } from "../../handshake.ts";
import type { Gone } from "../../incoming.ts";
import { type Peer, tcpPeer, UNIX_PEER } from "../../peer.ts";
import { BodyReader, type BodySink } from "../http1/body-reader.ts";
import { parseHead } from "../http1/parse-head.ts";
import type { NativePeer } from "../socket-handlers.ts";
import { type FieldLines, pushDate, sharedFieldLines, statusLine } from "./answer-head.ts";
import { type BodyCollector, NoBody, WholeBody } from "./body-collector.ts";
import { chunkOf } from "./chunk.ts";
import type { DueList } from "./due-list.ts";
import { Outlet, type WireStream } from "./outlet.ts";
import { writeResponse } from "./response-writer.ts";
import { type Carrier, readableTarget, type WireHead, WireRequest } from "./wire-request.ts";
import { FAULT, type WireServer } from "./wire-server.ts";
import { WireSocket } from "./wire-socket.ts";

const IDLE = 0;
const BUSY = 1;
const HELD = 2;
const CLOSING = 3;

/** What a client may send ahead of its answer before it is not read from any more. */
const MOST_AHEAD_BYTES = 64 * 1024;
/** So much of a body that nobody asked for is read and dropped, to keep the connection; of a longer one the rest is not waited for. */
const MOST_DROPPED_BYTES = 256 * 1024;

const UNKNOWN_LENGTH = -1;

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const SWITCHING = Buffer.from(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
);
const LINE_END = Buffer.from("\r\n");
const CLOSE_LINE = Buffer.from("Connection: close\r\n");
const KEEP_LINE = Buffer.from("Connection: keep-alive\r\n");
const CHUNKED_LINE = Buffer.from("Transfer-Encoding: chunked\r\n");
const NO_BODY_LINE = Buffer.from("Content-Length: 0\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

export class Connection extends Outlet implements Carrier, BodySink, BreakableSink {
  readonly server: WireServer;
  readonly peer: Peer;
  #state = IDLE;
  /** Bytes that were not looked at yet. */
  #input: Buffer | null = null;
  /** Of a head that has not come whole. */
  #partial: WireHead | null = null;
  #requests = 0;
  #isReading = false;
  #isPaused = false;
  /** The client has closed its end. */
  #isEnded = false;
  /** The current answer is the connection's last. */
  #isLast = false;
  /** The request is a HEAD, whose answer has no body. */
  #isHead = false;
  /** HTTP/1.0: no chunks, the end of the connection is the end of the body. */
  #isOld = false;
  #wantsContinue = false;
  /** At the end what may still come is waited for. */
  #lingers = false;
  #isUpgraded = false;
  /** Each write of the stream leaves at once, without a flush. */
  #isDirect = false;
  /** Of a body that did not come with its head; null: there is none, or it was read. */
  #body: BodyReader | null = null;
  /** Of that body, as announced. */
  #bodyBytes = 0;
  #collector: BodyCollector | null = null;
  /** A poll that waits. */
  #waiting: Gone | null = null;
  /** Told when the connection is closed before its answer was over. */
  #aborts: Gone | null = null;
  #stream: PulledStream | null = null;
  #room: PromiseWithResolvers<number> | null = null;
  #kept: Uint8Array[] | null = null;

  constructor(server: WireServer, stream: WireStream) {
    super(stream);
    this.server = server;
    // Now: of a client that resets its connection the kernel knows nothing afterwards (getpeername(2), ENOTCONN).
    this.peer = server.isUnix ? UNIX_PEER : tcpPeer(stream.remoteAddress);
    server.heads.take(this);
  }

  get scheme(): "http" | "https" {
    return this.server.scheme;
  }

  // --- told by the socket ----------------------------------------------------------------------------------------------------------

  take(bytes: Buffer): void {
    if (this.#state === CLOSING) return;
    this.cork();
    if (this.#state === IDLE) this.#read(this.#joined(bytes));
    else if (this.#collector !== null) this.#readBody(bytes);
    else this.#keep(bytes);
    this.uncork();
  }

  ended(): void {
    this.#isEnded = true;
    // A request that came whole is answered; half a one never will be.
    if (this.#state === IDLE) this.#close();
    else if (this.#state === CLOSING) this.#shutIfSent();
    else if (this.#collector !== null) this.#failBody(new Error("its sender left"));
    else if (this.#state === HELD ? this.#stream?.endsByItself !== true : this.#waiting !== null)
      this.#close();
  }

  closed(): void {
    if (this.isClosed) return;
    this.leave();
    this.server.left();
    this.#state = CLOSING;
    this.#input = null;
    this.#partial = null;
    const stream = this.#stream;
    this.#stream = null;
    stream?.cancel();
    const [waiting, aborts, collector, room] = [this.#waiting, this.#aborts, this.#collector, this.#room];
    this.#waiting = null;
    this.#aborts = null;
    this.#collector = null;
    this.#room = null;
    waiting?.clientLeft();
    aborts?.clientLeft();
    collector?.failed(new Error("its sender left"));
    room?.resolve(0);
  }

  override overdue(list: DueList): void {
    const { server } = this;
    const isQuiet = list === server.idle || (list === server.heads && this.#input === null);
    if (isQuiet) this.#close();
    else if (server.resetsTimedOut) this.cutOff();
    else if (list === server.bodies) this.#failBody(new Error("the rest of the body did not come"));
    else if (list === server.heads) this.#refuse(408);
    else this.drop();
  }

  protected override moved(): void {
    this.server.sending.take(this);
  }

  protected override roomy(): void {
    this.#stand();
    const room = this.#room;
    this.#room = null;
    room?.resolve(0);
    if (this.#state === CLOSING) this.#shut();
    else if (this.#state === IDLE) this.#readOn();
  }

  /** Goes to the list that its state belongs to. */
  #stand(): void {
    if (this.isClosed || this.isStalled) return;
    const { server } = this;
    if (this.#state === HELD) server.held.take(this);
    else if (this.#state === BUSY) (this.#collector === null ? server.busy : server.bodies).take(this);
    else if (this.#state === IDLE) (this.#input === null ? server.idle : server.heads).take(this);
  }

  // --- requests ------------------------------------------------------------------------------------------------------------------

  #joined(bytes: Buffer): Buffer {
    const input = this.#input;
    this.#input = null;
    return input === null ? bytes : Buffer.concat([input, bytes]);
  }

  /** What comes while it is not its turn. */
  #keep(bytes: Buffer): void {
    const input = this.#joined(bytes);
    this.#input = input;
    if (input.length < MOST_AHEAD_BYTES || this.#isPaused) return;
    this.#isPaused = true;
    this.stream.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.stream.resume();
  }

  /** It is idle again: what came meanwhile. */
  #readOn(): void {
    const input = this.#input;
    if (input === null || this.#isReading) return;
    this.#input = null;
    this.#resume();
    this.cork();
    this.#read(input);
    this.uncork();
  }

  /** Requests in `bytes`, until one of them takes its time or the client does not take its answers. */
  #read(bytes: Buffer): void {
    this.#isReading = true;
    let at = 0;
    while (at < bytes.length && this.#state === IDLE && !this.isStalled) {
      const head = this.#partial ?? this.server.head;
      const next = parseHead(bytes, at, bytes.length, head, this.server.bounds);
      if (next === 0) break;
      this.#partial = null;
      if (next < 0) this.#refuse(-next);
      else at = this.#begin(head, bytes, at, next);
    }
    this.#isReading = false;
    if (this.isClosed || this.#state === CLOSING) return;
    if (at < bytes.length) this.#keepRest(bytes, at);
    else if (this.#state === IDLE) this.#stand();
  }

  #keepRest(bytes: Buffer, at: number): void {
    // Its own bytes, or a few of a head would keep all that came with them.
    const rest = at === 0 ? bytes : Buffer.from(bytes.subarray(at));
    if (this.#state !== IDLE || this.isStalled) {
      if (this.#collector === null) this.#keep(rest);
      else this.#readBody(rest);
      return;
    }
    this.#input = rest;
    if (this.#partial === null) {
      // The time for a head begins with its first byte.
      this.#partial = this.server.lendHead();
      if (this.list !== this.server.heads) this.server.heads.take(this);
    }
  }

  /** A head is whole and ends at `next`. Gives where the bytes go on that are not of this request. */
  #begin(head: WireHead, bytes: Buffer, start: number, next: number): number {
    const { server } = this;
    this.#state = BUSY;
    this.#requests++;
    this.#isLast = !head.keepsAlive || server.isLast || this.#requests >= server.mostRequests;
    this.#isHead = head.method === "HEAD";
    this.#isOld = head.minor === 0;
    let bodyEnd = next;
    if (head.isChunked || head.contentLength > bytes.length - next) {
      bodyEnd = -1;
      this.#beginBody(head);
    } else if (head.contentLength > 0) bodyEnd = next + head.contentLength;
    const target = readableTarget(head.target(bytes));
    if (target === null) {
      this.#refuse(400);
      return bytes.length;
    }
    const request = new WireRequest(this, head, { bytes, start, bodyStart: next, bodyEnd }, target);
    const answer = server.answer(request);
    const rest = bodyEnd < 0 ? next : bodyEnd;
    if (this.#isUpgraded) {
      const { data: socket } = this.stream;
      if (rest < bytes.length) socket.take(bytes.subarray(rest));
      socket.uncork();
      return bytes.length;
    }
    if (answer instanceof Promise) {
      this.#stand();
      answer.then((late) => this.#late(late));
    } else this.#answer(answer);
    return rest;
  }

  #late(answer: Answer): void {
    if (this.isClosed || this.#state !== BUSY) return;
    this.cork();
    this.#answer(answer);
    this.uncork();
  }

  // --- bodies --------------------------------------------------------------------------------------------------------------------

  #beginBody(head: WireHead): void {
    const reader = new BodyReader();
    this.#body = reader;
    this.#bodyBytes = head.contentLength;
    this.#wantsContinue = head.expectsContinue;
    // What is too long is the location's to refuse, with its own page; its bytes are not read.
    if (reader.begin(head, this.server.bodyBounds) < 0) this.#isLast = true;
  }

  readBody(): Promise<Uint8Array<ArrayBuffer>> {
    const collector = new WholeBody();
    if (this.#body === null || this.#collector !== null || this.isClosed)
      collector.failed(new Error("the body was read, or its sender left"));
    else if (this.#bodyBytes > this.server.bodyBounds.bodyBytes)
      collector.failed(new RangeError("the body is too large"));
    else this.#collect(collector);
    return collector.promise;
  }

  #collect(collector: BodyCollector): void {
    this.#collector = collector;
    if (this.#wantsContinue) {
      this.#wantsContinue = false;
      this.push(CONTINUE);
    }
    const input = this.#input;
    this.#input = null;
    this.#resume();
    if (this.#isEnded && input === null) this.#failBody(new Error("its sender left"));
    else if (input === null) this.#stand();
    else this.#readBody(input);
  }

  #readBody(bytes: Buffer): void {
    const reader = this.#body;
    if (reader === null) return;
    const at = reader.take(bytes, 0, bytes.length, this);
    if (this.#collector === null) return;
    if (at < 0) {
      this.#failBody(
        at === -413 ? new RangeError("the body is too large") : new Error("a chunk is malformed"),
      );
      return;
    }
    if (!reader.isDone) {
      this.#stand();
      return;
    }
    const collector = this.#collector;
    this.#collector = null;
    this.#body = null;
    if (at < bytes.length) this.#keep(Buffer.from(bytes.subarray(at)));
    this.#stand();
    collector.whole();
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    this.#collector?.add(bytes, start, end);
  }

  /** Nothing can be understood behind it. */
  #failBody(error: Error): void {
    const collector = this.#collector;
    this.#collector = null;
    this.#isLast = true;
    this.#lingers = true;
    this.#stand();
    collector?.failed(error);
  }

  // --- answers -------------------------------------------------------------------------------------------------------------------

  whenGone(listener: Gone): void {
    this.#waiting = listener;
  }

  whenClosed(listener: Gone): void {
    this.#aborts = listener;
  }

  #answer(answer: Answer): void {
    this.#waiting = null;
    if (answer instanceof SharedAnswer) {
      const { body, init } = answer;
      this.writeHead(200, sharedFieldLines(init), body === null ? 0 : body.length);
      if (body !== null && !this.#isHead) this.push(body);
      this.answered();
    } else if (answer instanceof HeldAnswer) this.hold(200, sharedFieldLines(answer.init), answer.stream);
    else writeResponse(this, answer instanceof Response ? answer : answer.toResponse());
  }

  /** The answer to a HEAD: the same without its body. */
  get wantsNoBody(): boolean {
    return this.#isHead;
  }

  /**
   * Call corked. `length` of the body, if the fields do not say; -1: it is not known, and comes in chunks or until the end of the
   * connection.
   */
  writeHead(status: number, lines: FieldLines, length: number): void {
    const isEndless = length === UNKNOWN_LENGTH && !lines.hasLength && !lines.hasCoding;
    if (lines.isLast || this.#hasMuchUnread() || (isEndless && this.#isOld)) this.#isLast = true;
    const { out } = this;
    out.pushBytes(statusLine(status));
    out.pushBytes(lines.bytes);
    if (!lines.hasDate) pushDate(out);
    if (length === 0 && !lines.hasLength) out.pushBytes(NO_BODY_LINE);
    else if (length > 0 && !lines.hasLength) out.pushLatin1(`Content-Length: ${length}\r\n`);
    else if (isEndless && !this.#isOld) out.pushBytes(CHUNKED_LINE);
    out.pushBytes(this.#isLast ? CLOSE_LINE : KEEP_LINE);
    out.pushBytes(LINE_END);
  }

  /** Of a body that nobody asked for too much is to come, or the client waits to be asked. */
  #hasMuchUnread(): boolean {
    return this.#body !== null && (this.#wantsContinue || this.#bodyBytes > MOST_DROPPED_BYTES);
  }

  /** The answer is written, to its last byte. Call corked, or when nothing else is written in this turn. */
  answered(): void {
    this.#stream = null;
    this.#kept = null;
    this.#aborts = null;
    if (this.#isLast || this.#isEnded) {
      this.#beginClosing(this.#lingers || this.#body !== null);
      return;
    }
    if (this.#body !== null) {
      this.#dropBody();
      return;
    }
    this.#state = IDLE;
    if (this.#isReading) return;
    this.#stand();
    if (this.#input !== null) queueMicrotask(() => this.#state === IDLE && !this.isStalled && this.#readOn());
  }

  /** A body that nobody wanted stands before the next request. */
  #dropBody(): void {
    const over = (isReadable: boolean): void => {
      this.#collector = null;
      this.#body = null;
      if (this.isClosed || this.#state !== BUSY) return;
      if (isReadable) this.answered();
      else this.#beginClosing(true);
    };
    this.#collect(new NoBody(MOST_DROPPED_BYTES, over));
  }

  /** Of what could not be read as a request. Nothing behind it can be. */
  #refuse(status: number): void {
    if (this.isClosed || this.#state === CLOSING) return;
    this.#isLast = true;
    this.#isHead = false;
    this.cork();
    this.writeHead(status, sharedFieldLines(FAULT), 0);
    this.#beginClosing(true);
    // In the middle of reading, whoever reads uncorks.
    if (!this.#isReading) this.uncork();
  }

  // --- held answers: the sink of a stream ----------------------------------------------------------------------------------------

  /** Call corked. */
  hold(status: number, lines: FieldLines, stream: PulledStream): void {
    this.writeHead(status, lines, -1);
    if (this.#isHead) {
      stream.cancel();
      this.answered();
      return;
    }
    this.#state = HELD;
    this.#stream = stream;
    this.#isDirect = false;
    this.#stand();
    stream.pull(this);
  }

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.#isDirect = highWaterMark <= 1;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (this.#isDirect) return this.#sendPiece(bytes, this.#stream?.sharesBytes === true);
    if (this.#kept === null) this.#kept = [];
    // The caller may reuse its buffer.
    this.#kept.push(bytes.slice());
    return bytes.length;
  }

  flush(): number | Promise<number> {
    const kept = this.#kept;
    if (kept === null) return 0;
    this.#kept = null;
    const [only] = kept;
    return this.#sendPiece(kept.length === 1 && only !== undefined ? only : Buffer.concat(kept), false);
  }

  #sendPiece(bytes: Uint8Array, isShared: boolean): number | Promise<number> {
    if (bytes.length === 0 || this.#state !== HELD) return 0;
    let isTaken: boolean;
    if (this.#isOld) isTaken = this.push(bytes);
    else {
      const chunk = chunkOf(bytes, isShared);
      isTaken = this.push(chunk.bytes, 0, chunk.length);
    }
    return isTaken || this.isClosed ? bytes.length : this.room();
  }

  /** More of a body that is not held. False: wait for `room`. */
  pushBody(bytes: Uint8Array, isEndless: boolean): boolean {
    if (!isEndless || this.#isOld || bytes.length === 0) return this.push(bytes);
    const chunk = chunkOf(bytes, false);
    return this.push(chunk.bytes, 0, chunk.length);
  }

  endBody(isEndless: boolean): void {
    if (isEndless && !this.#isOld) this.push(LAST_CHUNK);
    this.answered();
  }

  /** Resolves when the client has taken what was written, or is gone. */
  room(): Promise<number> {
    this.#room ??= Promise.withResolvers<number>();
    return this.#room.promise;
  }

  end(): number | Promise<number> {
    const flushed = this.flush();
    if (this.#state !== HELD) return flushed;
    if (!this.#isOld) this.push(LAST_CHUNK);
    this.answered();
    return flushed;
  }

  /** What was sent is not the whole, and the client is to see that. */
  close(): void {
    this.cutOff();
  }

  // --- WebSockets ----------------------------------------------------------------------------------------------------------------

  /** RFC 6455 4.2.2. False: it is no handshake, or the client is gone; nothing was written. */
  upgrade(request: WireRequest, data: NativePeer, headers: Readonly<Record<string, string>>): boolean {
    if (this.#state !== BUSY || this.isClosed || this.#body !== null) return false;
    if (request.method !== "GET" || socketOffer((name) => request.field(name)) !== "good") return false;
    const isAlone = !this.isCorked;
    this.cork();
    const { out } = this;
    out.pushBytes(SWITCHING);
    out.pushLatin1(acceptKey(request.field("sec-websocket-key") ?? ""));
    for (const name in headers) {
      const value = headers[name] ?? "";
      if (value !== "") out.pushLatin1(`\r\n${name}: ${value}`);
    }
    out.pushBytes(LINE_END);
    out.pushBytes(LINE_END);
    const socket = new WireSocket(this.server.sockets, this.stream, data);
    const input = this.#input;
    this.#input = null;
    this.#isUpgraded = true;
    this.handOver(socket);
    this.#state = CLOSING;
    this.stream.data = socket;
    this.#resume();
    socket.open();
    if (input !== null) queueMicrotask(() => socket.take(input));
    if (isAlone) socket.uncork();
    return true;
  }

  // --- the end -------------------------------------------------------------------------------------------------------------------

  #beginClosing(lingers: boolean): void {
    this.#state = CLOSING;
    this.#lingers = lingers;
    this.#input = null;
    this.#partial = null;
    this.#collector = null;
    this.#body = null;
    this.#shutIfSent();
  }

  override uncork(): void {
    super.uncork();
    if (this.#state === CLOSING) this.#shutIfSent();
  }

  #shutIfSent(): void {
    if (!this.isCorked && !this.isStalled && !this.isClosed) this.#shut();
  }

  /**
   * Our end. Unread bytes in the kernel's buffer would make it reset the connection, and what is on its way to the client would be
   * lost with it (RFC 9112 9.6): so where more may come, it is read and dropped for a while.
   */
  #shut(): void {
    if (this.#isEnded || !this.#lingers) {
      this.#close();
      return;
    }
    if (this.list === this.server.lingering) return;
    this.server.lingering.take(this);
    this.stream.shutdown();
    this.#resume();
  }

  /** In peace: everything was sent. */
  #close(): void {
    if (this.isClosed) return;
    this.stream.end();
    this.closed();
  }

  /** As soon as the current answer is over; at once if there is none. */
  retire(): void {
    if (this.#state === IDLE && this.#input === null) this.#close();
    else this.#isLast = true;
  }

  cutOff(): void {
    if (this.isClosed) return;
    this.stream.terminate();
    this.closed();
  }
}
