/**
 * What comes out of the frames of clients, told to the socket whose bytes are read (wire-socket.ts). Made by
 * wire-server.ts, and told by the decoder.
 */
import { CloseCode } from "../../http/close-codes.ts";
import { TEXT } from "../../wire/frame-layout.ts";
import type { FrameSink } from "../../wire/frame-sink.ts";
import { inflateMessage } from "../../wire/message-deflate.ts";
import { isUtf8 } from "../../wire/utf8.ts";
import type { Newcomers } from "./newcomers.ts";
import type { WireSocket } from "./wire-socket.ts";

/**
 * Of what comes in one piece: small messages that grow to large ones would cost as much as so many large
 * ones.
 */
const MOST_GROWTH = 16;
const FREE_GROWTH = 1024 * 1024;

/**
 * What a client says, told to its socket. One for all sockets of a listener: they are read one after the
 * other.
 */
export class Ear implements FrameSink {
  socket: WireSocket | null = null;
  /** Something whole came in these bytes. */
  isHeard = false;
  /** What compressed messages in these bytes may still grow to. */
  mayInflate = 0;
  readonly maxMessageBytes: number;
  readonly #turn: Newcomers;
  /** When it was asked first whether it has enough; 0: these are few frames, which nobody times. */
  #sinceMs = 0;

  constructor(maxMessageBytes: number, turn: Newcomers) {
    this.maxMessageBytes = maxMessageBytes;
    this.#turn = turn;
  }

  /** What compressed messages may grow to that come in one piece of so many bytes. */
  mostGrown(length: number): number {
    return this.maxMessageBytes + MOST_GROWTH * length + FREE_GROWTH;
  }

  /** Told what this socket says from now on. */
  begin(socket: WireSocket, mayInflate: number): void {
    this.isHeard = false;
    this.mayInflate = mayInflate;
    this.socket = socket;
  }

  end(): void {
    this.socket = null;
    if (this.#sinceMs > 0) this.#turn.served(this.#sinceMs);
    this.#sinceMs = 0;
  }

  hasEnough(): boolean {
    if (this.#sinceMs === 0) this.#sinceMs = performance.now();
    return this.#turn.isOver(this.#sinceMs);
  }

  get takesCompressed(): boolean {
    return this.socket?.takesDeflated ?? false;
  }

  text(bytes: Buffer): void {
    this.isHeard = true;
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const { data } = socket;
    const { reader } = data;
    if (!reader?.readsBytes || !reader.takesText(bytes, bytes.length)) data.message(bytes.toString("utf8"));
  }
  binary(bytes: Buffer): void {
    this.isHeard = true;
    const { socket } = this;
    // Its own: a view would keep all that came with it.
    if (socket?.readyState === WebSocket.OPEN) socket.data.message(Buffer.from(bytes));
  }
  compressed(opcode: number, bytes: Buffer): void {
    this.isHeard = true;
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const message = inflateMessage(bytes, Math.min(this.maxMessageBytes, this.mayInflate));
    if (message === "too big") socket.failed(CloseCode.TOO_BIG, "message is too big");
    else if (message === "faulty") socket.failed(CloseCode.NO_TEXT, "message cannot be inflated");
    else if (opcode === TEXT && !isUtf8(message, 0, message.length))
      socket.failed(CloseCode.NO_TEXT, "text is not UTF-8");
    else {
      this.mayInflate -= message.length;
      socket.data.message(opcode === TEXT ? message.toString("utf8") : message);
    }
  }
  ping(payload: Buffer): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.pinged(payload);
  }
  pong(): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.data.heard();
  }
  close(code: number, reason: string): void {
    this.socket?.closing(code, reason);
  }
  fault(code: number, sentence: string): void {
    this.socket?.failed(code, sentence);
  }
}
