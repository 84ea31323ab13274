/**
 * One WebSocket on a TCP socket of ours (RFC 6455): what Bun's ServerWebSocket is on the other door, for the
 * peers behind it (subscribe/socket-peer.ts, handlers/web-socket.ts). Made by connection.ts at the handshake;
 * from then on the socket is its.
 *
 * Between two messages it keeps nothing but where it waits. What its client does not take is the rest of one
 * write; fan-out does not write to a socket that has one (fanout/slow-sockets.ts).
 */
import { CloseCode } from "../../http/close-codes.ts";
import type { DirectSocket, FrameBatch, PeerSocket } from "../../http/peer-socket.ts";
import { ByteWriter } from "../../wire/byte-writer.ts";
import { type HeldFrames, isUnfinished } from "../../wire/frame-decoder.ts";
import { closeFrame, pushFrameHead } from "../../wire/frame-encoder.ts";
import { BINARY, PING, PONG, TEXT } from "../../wire/frame-layout.ts";
import type { NativePeer } from "../socket-handlers.ts";
import type { DueList } from "./due-list.ts";
import { ENDED, NEXT, STATE, TOLD } from "./marks.ts";
import type { Newcomer } from "./newcomers.ts";
import { Outlet } from "./outlet.ts";
import { SharedPiece } from "./shared-piece.ts";
import type { SocketServer } from "./socket-server.ts";
import { answerWithTurn } from "./turn-answers.ts";
import { UnreadFrames } from "./unread-frames.ts";

/** The code of a connection that ended without a close frame: never on the wire. */
const ABNORMAL = 1006;
const NOTHING = Buffer.alloc(0);
/** Frames are put together here. */
const frame = new ByteWriter();

export class WireSocket extends Outlet implements PeerSocket, DirectSocket, Newcomer {
  readonly #server: SocketServer;
  readonly data: NativePeer;
  #held: HeldFrames = null;

  constructor(server: SocketServer, before: Outlet, data: NativePeer) {
    super(before.socket, before.descriptor);
    this.#server = server;
    this.data = data;
    this.readyState = WebSocket.OPEN;
  }

  get readyState(): number {
    return this.marks & STATE;
  }
  private set readyState(state: number) {
    this.marks = (this.marks & ~STATE) | state;
  }

  /** A class of its own, because a field would cost every idle socket. */
  get takesDeflated(): boolean {
    return false;
  }

  /** Call corked. Its handshake's answer leaves with those of the turn. */
  open(): void {
    this.#listen();
    this.data.opened(this);
    answerWithTurn(this);
  }

  // --- told by the socket ----------------------------------------------------------------------------------

  take(bytes: Buffer): void {
    // Some was read before it was paused.
    if (this.is(NEXT)) this.#server.unread.get(this)?.add(bytes);
    else this.#read(bytes, this.#server.ear.mostGrown(bytes.length));
  }

  #read(bytes: Buffer, mayInflate: number): void {
    // Behind a close there is nothing any more; it is read and dropped.
    if (this.isClosed || this.readyState === WebSocket.CLOSED) return;
    this.cork();
    const { decoder, ear } = this.#server;
    ear.begin(this, mayInflate);
    this.#held = decoder.take(this.#held, bytes, ear);
    ear.end();
    if (decoder.rest !== null) this.#lineUp(new UnreadFrames(decoder.rest, ear.mayInflate));
    this.data.reader?.pieceRead();
    // Pongs in the middle of a message do not prove that it will ever be whole.
    if ((ear.isHeard || !isUnfinished(this.#held)) && this.readyState === WebSocket.OPEN && !this.isStalled)
      this.#listen();
    this.uncork();
  }

  /** It goes on in a later turn, and is not read from until then. */
  #lineUp(unread: UnreadFrames): void {
    this.mark(NEXT);
    this.#server.unread.set(this, unread);
    this.#server.newcomers.lineUp(this);
    this.socket.pause();
  }

  goOn(): void {
    this.mark(NEXT, false);
    const { unread } = this.#server;
    const input = unread.get(this);
    unread.delete(this);
    if (input === undefined) return;
    this.#read(input.view(), input.mayInflate);
    if (this.is(NEXT) || this.isClosed) return;
    this.socket.resume();
    if (this.is(ENDED)) this.ended();
  }

  override uncork(): void {
    super.uncork();
    if (this.readyState === WebSocket.CLOSED && !this.isStalled) this.#end();
  }

  ended(): void {
    this.uncork();
    this.mark(ENDED);
    // What it said before counts.
    if (this.is(NEXT)) return;
    // It has no close frame to come.
    this.readyState = WebSocket.CLOSED;
    this.#tell(ABNORMAL, "");
    if (!this.isStalled) this.#end();
  }

  closed(): void {
    if (this.isClosed) return;
    this.leave();
    this.#server.left();
    this.readyState = WebSocket.CLOSED;
    this.#held = null;
    this.#server.owedPongs.delete(this);
    this.#server.unread.delete(this);
    this.#tell(ABNORMAL, "");
  }

  override overdue(list: DueList): void {
    const { heard, asked, stuck } = this.#server;
    if (list === heard) {
      asked.take(this);
      this.ping();
    } else {
      if (list === stuck) this.data.stuck();
      if (this.#server.resetsTimedOut) this.cutOff();
      else this.drop();
    }
  }

  protected override moved(): void {
    this.#server.stuck.take(this);
  }

  protected override roomy(): void {
    if (this.readyState === WebSocket.CLOSED) {
      this.#end();
      return;
    }
    this.#listen();
    const { owedPongs } = this.#server;
    const pong = owedPongs.get(this);
    if (pong !== undefined) {
      owedPongs.delete(this);
      this.#frame(PONG, pong);
    }
    this.data.drained();
  }

  #listen(): void {
    (this.data.mayBeSilent ? this.#server.quiet : this.#server.heard).take(this);
  }

  // --- told by the decoder ---------------------------------------------------------------------------------

  pinged(payload: Buffer): void {
    this.data.heard();
    if (this.isStalled) this.#server.owedPongs.set(this, Buffer.from(payload));
    else this.#frame(PONG, payload);
  }

  /** The client's close frame is answered with its own code (RFC 6455 5.5.1). */
  closing(code: number, reason: string): void {
    this.data.reader?.pieceRead();
    if (this.readyState === WebSocket.OPEN) this.push(closeFrame(code, reason));
    this.readyState = WebSocket.CLOSED;
    this.#tell(code, reason);
  }

  /** What it said is against the protocol, or too much. */
  failed(code: number, sentence: string): void {
    this.data.reader?.pieceRead();
    if (this.readyState === WebSocket.OPEN) this.close(code, sentence);
  }

  // --- what its peer asks of it ----------------------------------------------------------------------------

  /** Bytes of the frame; -1: not all of them have left; 0: none, it is closed or was too slow. */
  send(payload: string | Uint8Array): number {
    if (this.readyState !== WebSocket.OPEN) return 0;
    return typeof payload === "string" ? this.#frame(TEXT, payload) : this.#frame(BINARY, payload);
  }

  /** Frames that are made already; as `send`. */
  sendFrames(bytes: Uint8Array, length: number, batch: FrameBatch | null): number {
    if (this.readyState !== WebSocket.OPEN) return 0;
    if (batch === null) return this.#write(bytes, length);
    if (!(batch.kept instanceof SharedPiece)) batch.kept = new SharedPiece();
    return this.#write(bytes, length, batch.kept instanceof SharedPiece ? batch.kept : null);
  }

  ping(payload: string | Uint8Array = NOTHING): void {
    if (this.readyState === WebSocket.OPEN) this.#frame(PING, payload);
  }

  /** Our end is closed behind the frame; what the client still says is for nobody. */
  close(code: number = CloseCode.NO_STATUS, reason = ""): void {
    if (this.readyState !== WebSocket.OPEN) return;
    this.push(closeFrame(code, reason));
    this.readyState = WebSocket.CLOSED;
    this.#tell(code, reason);
    if (!this.isCorked && !this.isStalled) this.#end();
  }

  /** Without a word; but what was said before is not taken back. */
  terminate(): void {
    if (this.isClosed) return;
    this.uncork();
    if (this.isStalled) this.cutOff();
    else this.#close();
  }

  getBufferedAmount(): number {
    return this.unsentBytes;
  }

  get direct(): this {
    return this;
  }

  subscribe(): void {
    // Nobody publishes to topics here.
  }
  unsubscribe(): void {
    // As subscribe().
  }

  #frame(opcode: number, payload: string | Uint8Array): number {
    frame.reset();
    if (typeof payload === "string") {
      pushFrameHead(frame, opcode, Buffer.byteLength(payload));
      frame.pushUtf8(payload);
    } else {
      pushFrameHead(frame, opcode, payload.length);
      frame.pushBytes(payload);
    }
    return this.#write(frame.bytes, frame.length);
  }

  /** What was unsent before counts: a message of any size goes to a client that takes what it is sent. */
  #write(bytes: Uint8Array, length: number, shared: SharedPiece | null = null): number {
    if (this.unsentBytes > this.#server.maxUnsentBytes) {
      this.cutOff();
      return 0;
    }
    return this.push(bytes, 0, length, shared) ? length : -1;
  }

  #tell(code: number, reason: string): void {
    if (this.is(TOLD)) return;
    this.mark(TOLD);
    this.data.closed(code, reason);
  }

  /**
   * Our end. Over bytes that nobody read the kernel would reset the connection, and the close frame would be
   * lost with it.
   */
  #end(): void {
    if (this.isClosed) return;
    if (this.is(ENDED)) this.#close();
    else if (this.list !== this.#server.closing) {
      this.#server.closing.take(this);
      this.socket.shutdown();
    }
  }

  #close(): void {
    if (this.isClosed) return;
    this.hangUp();
    this.closed();
  }

  retire(): void {
    // Its peer sends it away.
  }

  cutOff(): void {
    if (this.isClosed) return;
    this.socket.terminate();
    this.closed();
  }
}
