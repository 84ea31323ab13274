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
import { isSilent } from "../../answer.ts";
import {
  type Answer,
  type AnswerTaker,
  HeldAnswer,
  LaterAnswer,
  PassedAnswer,
  RenderedAnswer,
  SharedAnswer,
} from "../../direct-answer.ts";
import type { BodyTaker, Gone, RawEnd, RawTaker } from "../../incoming.ts";
import { type Peer, tcpPeer, UNIX_PEER } from "../../peer.ts";
import { parseHead } from "../http1/parse-head.ts";
import type { NativePeer } from "../socket-handlers.ts";
import { FieldLines, sharedFieldLines } from "./answer-head.ts";
import { Answering, NO_LENGTH } from "./answering.ts";
import type { DueList } from "./due-list.ts";
import { pushSwitching } from "./handshake-answer.ts";
import type { TcpSocket } from "./outlet.ts";
import { RequestBody } from "./request-body.ts";
import { writeResponse } from "./response-writer.ts";
import { type Carrier, readableTarget, type WireHead, WireRequest } from "./wire-request.ts";
import { FAULT, type WireServer } from "./wire-server.ts";
import { WireSocket } from "./wire-socket.ts";
import { WireTunnel } from "./wire-tunnel.ts";

const IDLE = 0;
const BUSY = 1;
const HELD = 2;
const CLOSING = 3;

/** What a client may send ahead of its answer before it is not read from any more. */
const MOST_AHEAD_BYTES = 64 * 1024;
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const LEFT = new Error("its sender left");

class Both implements Gone {
  readonly #one: Gone;
  readonly #other: Gone;
  constructor(one: Gone, other: Gone) {
    this.#one = one;
    this.#other = other;
  }
  clientLeft(): void {
    this.#one.clientLeft();
    this.#other.clientLeft();
  }
}

export class Connection extends Answering implements Carrier, AnswerTaker {
  readonly server: WireServer;
  /** null: it came by a unix socket. */
  readonly #address: string | null;
  readonly isExtra: boolean;
  #state = IDLE;
  /** Bytes that were not looked at yet. */
  #input: Buffer | null = null;
  /** Of a head that has not come whole. */
  #partial: WireHead | null = null;
  /** Of the request that is answered; null: it has none, or it was read. */
  #body: RequestBody | null = null;
  #requests = 0;
  #isReading = false;
  #isPaused = false;
  /** The client has closed its end. */
  #isEnded = false;
  /** At the end what may still come is waited for. */
  #lingers = false;
  #isUpgraded = false;
  /** A poll that waits. */
  #waiting: Gone | null = null;
  /** Told when the connection is closed before its answer was over. */
  #aborts: Gone | null = null;

  /** `isExtra`: there are as many as may be; it is told so. */
  constructor(server: WireServer, socket: TcpSocket, isExtra: boolean) {
    super(socket);
    this.isExtra = isExtra;
    this.server = server;
    // Now: of a client that resets its connection the kernel knows nothing afterwards (getpeername(2), ENOTCONN).
    this.#address = server.isUnix ? null : socket.remoteAddress;
    server.heads.take(this);
  }

  get peer(): Peer {
    return this.#address === null ? UNIX_PEER : tcpPeer(this.#address);
  }
  get scheme(): "http" | "https" {
    return this.server.scheme;
  }

  // --- told by the socket --------------------------------------------------------------------------------------------------------

  take(bytes: Buffer): void {
    if (this.#state === CLOSING) return;
    this.cork();
    if (this.#state === IDLE) this.#read(this.#joined(bytes));
    else if (this.#body?.isWanted === true) this.#readBody(this.#body, bytes);
    else this.#keep(bytes);
    this.uncork();
  }

  ended(): void {
    this.#isEnded = true;
    // A request that came whole is answered; half a one never will be.
    if (this.#state === IDLE) this.#close();
    else if (this.#state === CLOSING) this.#shutWhenSent();
    else if (this.#body?.isWanted === true) this.#failBody(this.#body, LEFT);
    else if (this.#state === HELD ? this.stream?.endsByItself !== true : this.#waiting !== null)
      this.#close();
  }

  closed(): void {
    if (this.isClosed) return;
    this.leave();
    this.server.left();
    this.#state = CLOSING;
    const { stream } = this;
    const [waiting, aborts, body] = [this.#waiting, this.#aborts, this.#body];
    this.stream = null;
    this.#forget();
    stream?.cancel();
    waiting?.clientLeft();
    aborts?.clientLeft();
    body?.fail(LEFT);
    this.tellRoom();
  }

  #forget(): void {
    this.#input = null;
    this.#partial = null;
    this.#body = null;
    this.#waiting = null;
    this.#aborts = null;
  }

  protected get keepLine(): Uint8Array {
    return this.server.keepLine;
  }

  override overdue(list: DueList): void {
    const { server } = this;
    const isQuiet = list === server.idle || (list === server.heads && this.#input === null);
    if (isQuiet) this.#close();
    else if (server.resetsTimedOut) this.cutOff();
    else if (list === server.bodies && this.#body !== null)
      this.#failBody(this.#body, new Error("the rest of the body did not come"));
    else if (list === server.heads || list === server.leaving) this.#refuse(408);
    else this.drop();
  }

  protected override moved(): void {
    this.server.sending.take(this);
  }

  protected override roomy(): void {
    this.#stand();
    this.tellRoom();
    if (this.#state === CLOSING) this.#shut();
    else if (this.#state === IDLE) this.#readOn();
  }

  /** Goes to the list that its state belongs to. */
  #stand(): void {
    if (this.isClosed || this.isStalled) return;
    const { server } = this;
    if (this.#state === HELD) server.held.take(this);
    else if (this.#state === BUSY)
      (this.#body?.isWanted === true && !this.#isPaused ? server.bodies : server.busy).take(this);
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
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  /** It is idle again: what came meanwhile. */
  #readOn(): void {
    const input = this.#input;
    if (input === null || this.#isReading || this.#state !== IDLE || this.isStalled) return;
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
    if (this.#state === IDLE && !this.isStalled) {
      this.#input = rest;
      if (this.#partial !== null) return;
      // The time for a head begins with its first byte.
      this.#partial = this.server.lendHead();
      if (this.list !== this.server.heads) this.server.heads.take(this);
    } else if (this.#body?.isWanted === true) this.#readBody(this.#body, rest);
    else this.#keep(rest);
  }

  /** A head is whole and ends at `next`. Gives where the bytes go on that are not of this request. */
  #begin(head: WireHead, bytes: Buffer, start: number, next: number): number {
    const { server } = this;
    this.#state = BUSY;
    this.#requests++;
    this.isLast = !head.keepsAlive || server.isLast || this.isExtra || this.#requests >= server.mostRequests;
    this.isHead = head.method === "HEAD";
    this.isOld = head.minor === 0;
    const isComing = head.isChunked || head.contentLength > bytes.length - next;
    if (isComing) this.#body = new RequestBody(head, server.bodyBounds);
    const bodyEnd = isComing ? -1 : next + Math.max(0, head.contentLength);
    const target = readableTarget(head, bytes);
    if (target === null) {
      this.#refuse(400);
      return bytes.length;
    }
    const answer = server.answer(new WireRequest(this, head, target, bytes, start, next, bodyEnd));
    const rest = isComing ? next : bodyEnd;
    if (this.#isUpgraded) {
      this.socket.data.take(bytes.subarray(rest));
      this.socket.data.uncork();
      return bytes.length;
    }
    if (answer instanceof LaterAnswer) {
      this.#stand();
      answer.giveTo(this);
    } else if (answer instanceof Promise) this.#await(answer);
    else this.#answer(answer);
    return rest;
  }

  /** In a method of its own: the engine makes what such a function needs whenever its method is called. */
  #await(answer: Promise<Answer>): void {
    this.#stand();
    answer.then((late) => this.takeAnswer(late));
  }

  /** Told by one that was waited for. */
  takeAnswer(answer: Answer): void {
    if (answer instanceof LaterAnswer) {
      answer.giveTo(this);
      return;
    }
    if (this.isClosed || this.#state !== BUSY) return;
    // It may have been there at once, in the middle of reading.
    const isAlone = !this.isCorked;
    this.cork();
    this.#answer(answer);
    if (isAlone) this.uncork();
  }

  #answer(answer: Answer): void {
    this.#waiting = null;
    if (answer instanceof RenderedAnswer) {
      const { bytes, length } = answer.render();
      this.writeWhole(200, sharedFieldLines(answer.init), bytes, length);
    } else if (answer instanceof SharedAnswer)
      this.writeWhole(200, sharedFieldLines(answer.init), answer.body);
    else if (answer instanceof PassedAnswer) this.#pass(answer);
    else if (answer instanceof HeldAnswer) this.hold(200, sharedFieldLines(answer.init), answer.stream);
    else if (answer instanceof Response && isSilent(answer)) this.cutOff();
    else writeResponse(this, answer instanceof Response ? answer : answer.toResponse());
  }

  /** Of a backend: its fields as they came. */
  #pass({ status, reason, fields, body, stream }: PassedAnswer): void {
    const lines = FieldLines.passed(fields);
    if (stream !== null) {
      this.hold(status, lines, stream, reason);
      return;
    }
    // Of these nobody knows how long it would be (RFC 9110 8.6).
    const none = this.isHead || status === 204 || status === 304 ? NO_LENGTH : 0;
    this.writeHead(status, lines, body === null ? none : body.length, reason);
    if (body !== null && !this.isHead) this.push(body);
    this.answered();
  }

  /** Of what could not be read as a request. Nothing behind it can be. */
  #refuse(status: number): void {
    if (this.isClosed || this.#state === CLOSING) return;
    this.isLast = true;
    this.isHead = false;
    this.cork();
    this.writeHead(status, sharedFieldLines(FAULT), 0);
    this.#beginClosing(true);
    // In the middle of reading, whoever reads uncorks.
    if (!this.#isReading) this.uncork();
  }

  // --- told by the request -------------------------------------------------------------------------------------------------------

  whenGone(listener: Gone): void {
    this.#waiting = listener;
  }

  whenClosed(listener: Gone): void {
    const before = this.#aborts;
    // The signal of a handler, and the stream of its answer.
    this.#aborts = before === null ? listener : new Both(before, listener);
  }

  readBody(): Promise<Uint8Array<ArrayBuffer>> {
    const body = this.#body;
    if (body === null || this.isClosed) return Promise.reject(LEFT);
    const read = body.read();
    if (body.isWanted) this.#collect(body);
    return read;
  }

  pourBody(taker: BodyTaker): void {
    const body = this.#body;
    if (body === null || this.isClosed) {
      taker.failed(LEFT);
      return;
    }
    body.pour(taker);
    if (body.isWanted) this.#collect(body);
  }

  /** Whoever reads the body has no room for more: it is not the client who is slow. */
  pauseBody(): void {
    if (this.#isPaused || this.isClosed || this.#body === null) return;
    this.#isPaused = true;
    this.socket.pause();
    this.#stand();
  }

  resumeBody(): void {
    if (this.isClosed || this.#body === null) return;
    this.#resume();
    this.#stand();
  }

  #collect(body: RequestBody): void {
    if (body.wantsContinue) {
      body.wantsContinue = false;
      this.push(CONTINUE);
    }
    const input = this.#input;
    this.#input = null;
    this.#resume();
    if (input !== null) this.#readBody(body, input);
    else if (this.#isEnded) this.#failBody(body, LEFT);
    else this.#stand();
  }

  #readBody(body: RequestBody, bytes: Buffer): void {
    const at = body.take(bytes);
    if (this.#body !== body) return;
    if (at < 0) this.#failBody(body, LEFT);
    else if (body.isWhole) {
      this.#body = null;
      if (at < bytes.length) this.#keep(Buffer.from(bytes.subarray(at)));
      this.#stand();
      body.finish();
    } else this.#stand();
  }

  /** Nothing can be understood behind it. */
  #failBody(body: RequestBody, error: Error): void {
    this.isLast = true;
    this.#lingers = true;
    body.fail(error);
    this.#stand();
  }

  // --- told by the answer --------------------------------------------------------------------------------------------------------

  protected override get hasMuchUnread(): boolean {
    return this.#body?.isMuch === true;
  }

  protected override held(): void {
    this.#state = HELD;
    this.#stand();
  }

  answered(): void {
    this.#aborts = null;
    if (this.isLast || this.#isEnded) this.#beginClosing(this.#lingers || this.#body !== null);
    else if (this.#body !== null) this.#dropBody(this.#body);
    else {
      this.#state = IDLE;
      if (this.#isReading) return;
      this.#stand();
      if (this.#input !== null) queueMicrotask(() => this.#readOn());
    }
  }

  /** A body that nobody wanted stands before the next request. */
  #dropBody(body: RequestBody): void {
    this.#state = BUSY;
    body.drop((isReadable) => {
      this.#body = null;
      if (this.isClosed || this.#state !== BUSY) return;
      if (isReadable) this.answered();
      else this.#beginClosing(true);
    });
    this.#collect(body);
  }

  /** RFC 6455 4.2.2. False: it is no handshake, or the client is gone; nothing was written. */
  upgrade(request: WireRequest, data: NativePeer, headers: Readonly<Record<string, string>>): boolean {
    if (this.#state !== BUSY || this.isClosed || this.#body !== null) return false;
    const isAlone = !this.isCorked;
    this.cork();
    if (!pushSwitching(this.out, request, headers)) {
      if (isAlone) this.uncork();
      return false;
    }
    const takesDeflated = headers["Sec-WebSocket-Extensions"] !== undefined;
    this.#leaveTo(new WireSocket(this.server.sockets, this.socket, data, takesDeflated), isAlone);
    return true;
  }

  /** Whatever comes and goes from now on is of another protocol (RFC 9110 7.8). */
  goOver(head: Uint8Array, taker: RawTaker): RawEnd | null {
    if (this.#state !== BUSY || this.isClosed || this.#body !== null) return null;
    const isAlone = !this.isCorked;
    this.cork();
    this.out.pushBytes(head);
    const tunnel = new WireTunnel(this.server, this.socket, taker);
    this.#leaveTo(tunnel, isAlone);
    return tunnel;
  }

  #leaveTo(other: WireSocket | WireTunnel, isAlone: boolean): void {
    const input = this.#input;
    this.#isUpgraded = true;
    this.#state = CLOSING;
    this.handOver(other);
    this.#forget();
    this.socket.data = other;
    this.#resume();
    other.open();
    if (input !== null) queueMicrotask(() => other.take(input));
    if (isAlone) other.uncork();
  }

  // --- the end -------------------------------------------------------------------------------------------------------------------

  #beginClosing(lingers: boolean): void {
    this.#state = CLOSING;
    this.#lingers = lingers;
    this.#forget();
    this.#shutWhenSent();
  }

  override uncork(): void {
    super.uncork();
    if (this.#state === CLOSING) this.#shutWhenSent();
  }

  #shutWhenSent(): void {
    if (!this.isCorked && !this.isStalled && !this.isClosed) this.#shut();
  }

  /**
   * Our end. Unread bytes in the kernel's buffer would make it reset the connection, and what is on its way to the client would be
   * lost with it (RFC 9112 9.6): so where more may come, it is read and dropped for a while.
   */
  #shut(): void {
    if (this.#isEnded || !this.#lingers) this.#close();
    else if (this.list !== this.server.lingering) {
      this.server.lingering.take(this);
      this.socket.shutdown();
      this.#resume();
    }
  }

  /** In peace: everything was sent. */
  #close(): void {
    if (this.isClosed) return;
    this.socket.end();
    this.closed();
  }

  retire(): void {
    if (this.#state === IDLE && this.#input === null) this.#close();
    else this.isLast = true;
    // It was about to ask: it may finish, but nobody waits for that as long as usual.
    if (this.list === this.server.heads) this.server.leaving.take(this);
  }

  cutOff(): void {
    if (this.isClosed) return;
    this.socket.terminate();
    this.closed();
  }
}
