/**
 * One TCP connection that speaks HTTP/1.1 (RFC 9112): requests come in, one after the other, and each is
 * answered before the next is looked at. It is also the sink of a held stream, so a subscriber that waits is
 * this object and its stream, and nothing else.
 *
 *   IDLE ──head──► BUSY ──answer──► IDLE          the answer is a Response, or bytes that many share
 *                                                 (direct-answer.ts)
 *                   │ └──stream──► HELD ──end──► IDLE
 *                   └──upgrade──► the socket belongs to a WireSocket
 *   any ──last answer, fault, deadline──► CLOSING: what is unsent goes out, then our end is closed; what
 *     still comes is dropped
 *
 * While it is not IDLE what comes is kept for later, up to a bound; behind that the client is not read from.
 */
import { isSilent } from "../../http/answer.ts";
import {
  type Answer,
  type AnswerTaker,
  HeldAnswer,
  LaterAnswer,
  PassedAnswer,
  RenderedAnswer,
  SharedAnswer,
} from "../../http/direct-answer.ts";
import type { Gone, RawEnd, RawTaker } from "../../http/incoming.ts";
import { type Peer, tcpPeer, UNIX_PEER } from "../../http/peer.ts";
import type { NativePeer } from "../socket-handlers.ts";
import { sharedFieldLines } from "./answer-head.ts";
import { Both } from "./both.ts";
import { ClosingConnection } from "./closing-connection.ts";
import { DeflatingSocket } from "./deflating-socket.ts";
import type { DueList } from "./due-list.ts";
import { pushSwitching } from "./handshake-answer.ts";
import { type HeldInput, headStandsAlone } from "./held-input.ts";
import { ASKED, ENDED, EXTRA, HEAD, LAST, LINGERS, OLD, READING, UPGRADED } from "./marks.ts";
import type { TcpSocket } from "./outlet.ts";
import { readableTarget } from "./readable-target.ts";
import { BUSY, CLOSING, HELD, IDLE, LEFT } from "./receiving.ts";
import { RequestBody } from "./request-body.ts";
import { writePassed, writeResponse } from "./response-writer.ts";
import { type Carrier, type WireHead, WireRequest } from "./wire-request.ts";
import type { WireServer } from "./wire-server.ts";
import { WireSocket } from "./wire-socket.ts";
import { WireTunnel } from "./wire-tunnel.ts";

export class Connection extends ClosingConnection implements Carrier, AnswerTaker {
  /** `isExtra`: there are as many as may be; it is told so. */
  constructor(server: WireServer, socket: TcpSocket, isExtra: boolean) {
    super(server, socket);
    this.mark(EXTRA, isExtra);
    server.heads.take(this);
  }

  get isExtra(): boolean {
    return this.is(EXTRA);
  }
  /**
   * Asked when somebody wants to know, and kept by the runtime from then on: a text that is asked for costs
   * each subscriber 50 bytes for as long as it is held. Of a client that has reset its connection nothing is
   * known; who depends on it asks in time (config/server/door.ts).
   */
  get peer(): Peer {
    return this.server.isUnix ? UNIX_PEER : tcpPeer(this.socket.remoteAddress);
  }
  get headerNames(): "plain" | "underscores" | "any" {
    return this.server.bounds.names ?? "plain";
  }
  get scheme(): "http" | "https" {
    return this.server.scheme;
  }

  // --- told by the socket ----------------------------------------------------------------------------------

  ended(): void {
    this.uncork();
    this.mark(ENDED);
    if (this.state === IDLE) this.readOn();
    else this.atEnd();
  }

  protected override atEnd(): void {
    // A request that came whole is answered; half a one never will be.
    if (this.state === IDLE) this.depart();
    else if (this.state === CLOSING) this.shutWhenSent();
    else if (this.body?.isWanted === true) this.failBody(this.body, LEFT);
    else if (this.state === HELD ? this.stream?.endsByItself !== true : this.stream !== null) this.depart();
  }

  closed(): void {
    if (this.isClosed) return;
    this.leave();
    this.server.left();
    this.state = CLOSING;
    const { stream, body } = this;
    const aborts = this.way?.aborts;
    this.forget();
    stream?.cancel();
    aborts?.cancel();
    body?.fail(LEFT);
    this.tellRoom();
  }

  protected get keepLine(): Uint8Array {
    return this.server.keepLine;
  }

  override overdue(list: DueList): void {
    const { server } = this;
    const isQuiet = list === server.idle || (list === server.heads && !this.hasInput);
    if (isQuiet) this.depart();
    else if (server.resetsTimedOut) this.cutOff();
    else if (list === server.bodies && this.body !== null)
      this.failBody(this.body, new Error("the rest of the body did not come"));
    else if (list === server.heads || list === server.leaving) this.refuse(408);
    else this.drop();
  }

  protected override moved(): void {
    this.server.sending.take(this);
  }

  protected override roomy(): void {
    this.stand();
    this.tellRoom();
    if (this.state === CLOSING) this.shut();
    else if (this.state === IDLE) this.readOn();
  }

  protected override stand(): void {
    if (this.isClosed || this.isStalled) return;
    const { server } = this;
    if (this.state === HELD) server.held.take(this);
    else if (this.state === BUSY) (this.isBodyDue ? server.bodies : server.busy).take(this);
    else if (this.state === IDLE) (!this.hasInput ? server.idle : server.heads).take(this);
  }

  // --- requests --------------------------------------------------------------------------------------------

  protected override begin(head: WireHead, bytes: Buffer, start: number, next: number, end: number): number {
    const { server } = this;
    this.state = BUSY;
    if (this.is(ASKED)) this.underWay.requests++;
    this.mark(ASKED);
    const requests = this.way === null ? 1 : this.way.requests;
    this.mark(LAST, !head.keepsAlive || server.isLast || this.isExtra || requests >= server.mostRequests);
    this.mark(HEAD, head.method === "HEAD");
    this.mark(OLD, head.minor === 0);
    const isComing = head.isChunked || head.contentLength > end - next;
    if (isComing) this.underWay.body = new RequestBody(head, server.bodyBounds);
    const bodyEnd = isComing ? -1 : next + Math.max(0, head.contentLength);
    const target = readableTarget(head, bytes);
    if (target === null) {
      this.refuse(400);
      return end;
    }
    const lasting = isComing && headStandsAlone(bytes, next) ? Buffer.from(bytes.subarray(0, next)) : bytes;
    const answer = server.answer(new WireRequest(this, head, target, lasting, start, next, bodyEnd));
    const rest = isComing ? next : bodyEnd;
    if (this.is(UPGRADED)) {
      if (rest < end) this.socket.data.take(bytes.subarray(rest, end));
      return end;
    }
    if (answer instanceof LaterAnswer) {
      this.stand();
      answer.giveTo(this);
    } else if (answer instanceof Promise) this.#await(answer);
    else this.#answer(answer);
    return rest;
  }

  /** In a method of its own: the engine makes what such a function needs whenever its method is called. */
  #await(answer: Promise<Answer>): void {
    this.stand();
    answer.then((late) => this.takeAnswer(late));
  }

  /** Told by one that was waited for. */
  takeAnswer(answer: Answer): void {
    if (answer instanceof LaterAnswer) {
      answer.giveTo(this);
      return;
    }
    if (this.isClosed || this.state !== BUSY) return;
    // It may have been there at once, in the middle of reading.
    const isAlone = !this.isCorked;
    this.cork();
    this.#answer(answer);
    if (isAlone) this.uncork();
  }

  #answer(answer: Answer): void {
    this.stream = null;
    if (answer instanceof RenderedAnswer) {
      const { bytes, length } = answer.render();
      this.writeWhole(200, sharedFieldLines(answer.init), bytes, length);
    } else if (answer instanceof SharedAnswer)
      this.writeWhole(200, sharedFieldLines(answer.init), answer.body);
    else if (answer instanceof PassedAnswer) writePassed(this, answer);
    else if (answer instanceof HeldAnswer) this.hold(200, sharedFieldLines(answer.init), answer.stream);
    else if (answer instanceof Response && isSilent(answer)) this.cutOff();
    else writeResponse(this, answer instanceof Response ? answer : answer.toResponse());
  }

  // --- told by the request ---------------------------------------------------------------------------------

  whenGone(listener: Gone): void {
    this.tidy();
    this.stream = listener;
  }

  whenClosed(listener: Gone): void {
    const { underWay } = this;
    const before = underWay.aborts;
    // The signal of a handler, and the stream of its answer.
    underWay.aborts = before === null ? listener : new Both(before, listener);
  }

  // --- told by the answer ----------------------------------------------------------------------------------

  protected override get hasMuchUnread(): boolean {
    return this.body?.isMuch === true;
  }

  protected override held(): void {
    this.state = HELD;
    this.tidy();
    this.stand();
  }

  answered(): void {
    if (this.way !== null) this.way.aborts = null;
    // Whoever sent requests ahead and ended its side has all of them answered.
    const isOver = this.is(ENDED) && !this.is(READING) && !this.hasInput;
    if (this.is(LAST) || isOver) this.beginClosing(this.is(LINGERS) || this.body !== null);
    else if (this.body !== null) this.#dropBody(this.body);
    else {
      this.state = IDLE;
      if (this.is(READING)) return;
      this.stand();
      // Or microtasks would answer all that it has sent ahead before anybody else's turn.
      if (this.hasInput) this.waitTurn();
    }
  }

  /** A body that nobody wanted stands before the next request. */
  #dropBody(body: RequestBody): void {
    this.state = BUSY;
    body.drop((isReadable) => {
      this.underWay.body = null;
      if (this.isClosed || this.state !== BUSY) return;
      if (isReadable) this.answered();
      else this.beginClosing(true);
    });
    this.collect(body);
  }

  /** RFC 6455 4.2.2. False: it is no handshake, or the client is gone; nothing was written. */
  upgrade(request: WireRequest, data: NativePeer, headers: Readonly<Record<string, string>>): boolean {
    if (this.state !== BUSY || this.isClosed || this.body !== null) return false;
    const isAlone = !this.isCorked;
    this.cork();
    if (!pushSwitching(this.out, request, headers)) {
      if (isAlone) this.uncork();
      return false;
    }
    const Kind = headers["Sec-WebSocket-Extensions"] === undefined ? WireSocket : DeflatingSocket;
    this.#leaveTo(new Kind(this.server.sockets, this, data), isAlone);
    return true;
  }

  /** Whatever comes and goes from now on is of another protocol (RFC 9110 7.8). */
  goOver(head: Uint8Array, taker: RawTaker): RawEnd | null {
    if (this.state !== BUSY || this.isClosed || this.body !== null) return null;
    const isAlone = !this.isCorked;
    this.cork();
    this.out.pushBytes(head);
    const tunnel = new WireTunnel(this.server, this, taker);
    this.#leaveTo(tunnel, isAlone);
    return tunnel;
  }

  #leaveTo(other: WireSocket | WireTunnel, isAlone: boolean): void {
    const input = this.takeInput();
    this.mark(UPGRADED);
    this.state = CLOSING;
    this.handOver(other);
    this.forget();
    this.socket.data = other;
    this.resume();
    other.open();
    // Its end, too, may have come before the answer.
    if (input !== null || this.is(ENDED)) queueMicrotask(() => this.#passOn(other, input));
    if (isAlone) other.uncork();
  }

  #passOn(other: WireSocket | WireTunnel, input: HeldInput | null): void {
    if (input !== null) other.take(input.view());
    if (this.is(ENDED)) other.ended();
  }
}
