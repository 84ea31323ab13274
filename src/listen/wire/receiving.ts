/**
 * What comes on an HTTP connection: heads, bodies, and what a client sends ahead of its answer, which is kept
 * up to a bound; behind that it is not read from. The middle of connection.ts, which knows what is done about
 * a request.
 */
import type { BodyTaker } from "../../http/incoming.ts";
import { spend } from "../../http/spent-bytes.ts";
import { parseHead } from "../http1/parse-head.ts";
import { Answering } from "./answering.ts";
import { HeldInput, headStandsAlone, ownRest } from "./held-input.ts";
import { descriptorOf } from "./kernel-send.ts";
import { ASKED, ENDED, LAST, LINGERS, NEXT, PAUSED, READING, STATE } from "./marks.ts";
import type { Newcomer } from "./newcomers.ts";
import type { TcpSocket } from "./outlet.ts";
import type { RequestBody } from "./request-body.ts";
import { answerWithTurn, sendLateAnswers } from "./turn-answers.ts";
import type { WireHead } from "./wire-request.ts";
import type { WireServer } from "./wire-server.ts";

export const IDLE = 0;
export const BUSY = 1;
export const HELD = 2;
export const CLOSING = 3;

/** What a client may send ahead of its answer before it is not read from any more. */
const MOST_AHEAD_BYTES = 64 * 1024;
/** Of one client, before others have theirs: some hundred thousand may come in one piece. */
const MOST_REQUESTS_A_TURN = 64;
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
export const LEFT = new Error("its sender left");

export abstract class Receiving extends Answering implements Newcomer {
  readonly server: WireServer;

  constructor(server: WireServer, socket: TcpSocket) {
    super(socket, server.scheme === "http" ? descriptorOf(socket) : -1);
    this.server = server;
  }

  /**
   * A head is whole: from `start` to `next` in `bytes`, of which those up to `end` have come. Gives where the
   * bytes go on that are not of this request.
   */
  protected abstract begin(head: WireHead, bytes: Buffer, start: number, next: number, end: number): number;
  /** Of what could not be read as a request. Nothing behind it can be. */
  protected abstract refuse(status: number): void;
  /** Goes to the list that its state belongs to. */
  protected abstract stand(): void;
  /** Nothing more comes from the client, and what has come was looked at. */
  protected abstract atEnd(): void;

  /** IDLE is no mark at all: how it begins. */
  protected get state(): number {
    return this.marks & STATE;
  }
  protected set state(state: number) {
    this.marks = (this.marks & ~STATE) | state;
  }

  protected get hasInput(): boolean {
    return this.way !== null && this.way.input !== null;
  }

  /** What was not looked at, for whoever goes on with it. */
  protected takeInput(): HeldInput | null {
    return this.way === null ? null : this.way.takeInput();
  }

  protected get body(): RequestBody | null {
    return this.way === null ? null : this.way.body;
  }

  protected forgetInput(): void {
    this.way?.forgetInput();
  }

  /** It waits from now on, and keeps no more than it must. */
  protected tidy(): void {
    if (this.way?.isNothing === true) this.way = null;
  }

  // --- told by the socket ----------------------------------------------------------------------------------

  take(bytes: Buffer): void {
    if (this.state === CLOSING) return;
    if (!this.is(ASKED) && this.state === IDLE) this.#takeFirst(bytes);
    else this.#take(bytes);
  }

  #takeFirst(bytes: Buffer): void {
    const { newcomers } = this.server;
    if (this.is(NEXT) || newcomers.mustWait(this)) {
      this.mark(NEXT);
      this.#keep(bytes);
      return;
    }
    const sinceMs = performance.now();
    sendLateAnswers(sinceMs);
    this.#take(bytes);
    newcomers.served(sinceMs);
  }

  goOn(): void {
    this.mark(NEXT, false);
    this.readOn();
  }

  /** It goes on in a later turn. */
  protected waitTurn(): void {
    this.mark(NEXT);
    this.server.newcomers.lineUp(this);
  }

  #take(bytes: Buffer): void {
    const isWaiting = this.isCorked;
    this.cork();
    if (this.state === IDLE && !this.is(NEXT)) this.#readWith(bytes);
    else if (this.body?.isWanted === true) {
      this.#readBody(this.body, bytes);
      spend(bytes);
    } else this.#keep(bytes);
    if (!this.#isBetweenRequests) this.uncork();
    else if (!isWaiting) answerWithTurn(this);
  }

  /** What came is answered, and nothing follows from that. */
  get #isBetweenRequests(): boolean {
    return this.state === IDLE && !this.is(NEXT | ENDED) && !this.hasInput;
  }

  // --- heads -----------------------------------------------------------------------------------------------

  #readWith(bytes: Buffer): void {
    const input = this.takeInput();
    if (input === null) {
      this.#read(bytes, bytes.length, null);
      return;
    }
    input.add(bytes);
    this.#read(input.bytes, input.length, input);
  }

  /** What comes while it is not its turn. */
  #keep(bytes: Buffer): void {
    const { underWay } = this;
    if (underWay.input === null) underWay.input = new HeldInput(bytes, bytes.length);
    else underWay.input.add(bytes);
    if (underWay.input.length < MOST_AHEAD_BYTES || this.is(PAUSED)) return;
    this.mark(PAUSED);
    this.socket.pause();
  }

  protected resume(): void {
    if (!this.is(PAUSED)) return;
    this.mark(PAUSED, false);
    this.socket.resume();
  }

  /** It is idle again: what came meanwhile, and behind that the end, where the client's side has ended. */
  protected readOn(): void {
    if (this.state !== IDLE || this.is(NEXT | READING) || this.isStalled) return;
    const input = this.takeInput();
    if (input !== null) {
      this.resume();
      this.cork();
      this.#read(input.bytes, input.length, input);
      this.uncork();
    }
    if (this.is(ENDED) && !this.is(NEXT) && !this.isStalled) this.atEnd();
  }

  /**
   * Requests in the bytes up to `end`, until one of them takes its time, the client does not take its answers
   * or has had its share of the turn. `input`: where they lie.
   */
  #read(bytes: Buffer, end: number, input: HeldInput | null): void {
    this.mark(READING);
    const { newcomers } = this.server;
    let at = 0;
    let sinceMs = 0;
    for (let count = 0; at < end && this.state === IDLE && !this.isStalled; count++) {
      // What one costs can differ a thousand times.
      if (count === 1) sinceMs = performance.now();
      if (count >= MOST_REQUESTS_A_TURN || (count > 1 && newcomers.isOver(sinceMs))) {
        this.waitTurn();
        break;
      }
      const partial = this.way === null ? null : this.way.partial;
      const head = partial ?? this.server.head;
      const next = parseHead(bytes, at, end, head, this.server.bounds);
      if (next === 0) break;
      if (partial !== null) this.underWay.partial = null;
      if (next < 0) this.refuse(-next);
      else at = this.begin(head, bytes, at, next, end);
    }
    this.mark(READING, false);
    if (sinceMs > 0) newcomers.served(sinceMs);
    if (this.isClosed || this.state === CLOSING) return;
    if (at < end) this.#keepRest(bytes, at, end, input);
    else if (this.state === IDLE) this.stand();
  }

  #keepRest(bytes: Buffer, at: number, end: number, input: HeldInput | null): void {
    if (this.is(NEXT)) {
      this.#keep(ownRest(bytes, at, end));
      this.stand();
    } else if (this.state === IDLE && !this.isStalled) {
      const { underWay } = this;
      underWay.input = input !== null && at === 0 ? input : new HeldInput(ownRest(bytes, at, end), end - at);
      if (underWay.partial !== null) return;
      // The time for a head begins with its first byte.
      underWay.partial = this.server.lendHead();
      if (this.list !== this.server.heads) this.server.heads.take(this);
    } else this.#keepBehindHead(bytes, at, end, input === null);
  }

  /** Its body, or a part of it, or what is sent ahead of its answer. */
  #keepBehindHead(bytes: Buffer, at: number, end: number, isPiece: boolean): void {
    const { body } = this;
    const isSpent = isPiece && body !== null && headStandsAlone(bytes, at);
    if (body?.isWanted === true) this.#readBody(body, bytes.subarray(at, end));
    else this.#keep(isSpent ? Buffer.from(bytes.subarray(at, end)) : ownRest(bytes, at, end));
    if (isSpent) spend(bytes);
  }

  /** More of it is to come from the client, and not held back by whoever reads it. */
  protected get isBodyDue(): boolean {
    return this.body?.isWanted === true && !this.is(PAUSED);
  }

  // --- bodies ----------------------------------------------------------------------------------------------

  readBody(): Promise<Uint8Array<ArrayBuffer>> {
    const { body } = this;
    if (body === null || this.isClosed) return Promise.reject(LEFT);
    const read = body.read();
    if (body.isWanted) this.collect(body);
    return read;
  }

  pourBody(taker: BodyTaker): void {
    const body = this.body;
    if (body === null || this.isClosed) {
      taker.failed(LEFT);
      return;
    }
    body.pour(taker);
    if (body.isWanted) this.collect(body);
  }

  /** Whoever reads the body has no room for more: it is not the client who is slow. */
  pauseBody(): void {
    if (this.is(PAUSED) || this.isClosed || this.body === null) return;
    this.mark(PAUSED);
    this.socket.pause();
    this.stand();
  }

  resumeBody(): void {
    if (this.isClosed || this.body === null) return;
    this.resume();
    this.stand();
  }

  protected collect(body: RequestBody): void {
    if (body.wantsContinue) {
      body.wantsContinue = false;
      this.push(CONTINUE);
    }
    const input = this.takeInput();
    this.resume();
    if (input !== null) {
      this.#readBody(body, input.view());
      spend(input.bytes);
    } else if (this.is(ENDED)) this.failBody(body, LEFT);
    else this.stand();
  }

  #readBody(body: RequestBody, bytes: Buffer): void {
    const at = body.take(bytes);
    if (this.body !== body) return;
    if (at < 0) this.failBody(body, LEFT);
    else if (body.isWhole) {
      this.underWay.body = null;
      // Its last piece may have been more than whoever reads it has room for; what follows is another's.
      this.resume();
      if (at < bytes.length) this.#keep(Buffer.from(bytes.subarray(at)));
      this.stand();
      body.finish();
    } else this.stand();
  }

  /** Nothing can be understood behind it. */
  protected failBody(body: RequestBody, error: Error): void {
    this.mark(LAST | LINGERS);
    body.fail(error);
    this.stand();
  }
}
