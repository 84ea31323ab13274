/**
 * What leaves by a TCP socket: the half that HTTP connections and WebSockets have in common. Bytes go out at
 * once; what the kernel does not take is kept, and no more should be written until `roomy`: so a reader that
 * takes nothing costs its socket buffer and the rest of one piece (promise P4).
 *
 * Corked, what is written in one turn is put together and leaves with one system call: the head of an answer
 * with its body, the answers of pipelined requests, a handshake with what the socket is told first.
 */
import { lastingPart, lastingSum, letGo } from "../../http/lasting-bytes.ts";
import { volley } from "../../http/volley.ts";
import { ByteWriter } from "../../wire/byte-writer.ts";
import { Waiting } from "./due-list.ts";
import { kernelSend } from "./kernel-send.ts";
import { AIMED, CLOSED, LATE } from "./marks.ts";
import type { SharedPiece } from "./shared-piece.ts";
import { volleys } from "./volleys.ts";

/** The part of Bun's TCP socket that is used. */
export interface TcpSocket {
  readonly remoteAddress: string;
  data: Inlet;
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  end(): unknown;
  shutdown(): void;
  terminate(): void;
  close(): void;
  pause(): void;
  resume(): void;
}

/** Who is told what happens on a TCP socket: an HTTP connection, and the WebSocket that it becomes. */
export interface Inlet {
  take(bytes: Buffer): void;
  /** The kernel takes bytes again. */
  drained(): void;
  /** The client sends nothing more. It may still read. */
  ended(): void;
  closed(): void;
  /** What was corked in this turn goes out. */
  uncork(): void;
}

/** A corked answer that is longer leaves in pieces. */
const CORKED_BYTES = 64 * 1024;

/** Most of what is corked is an answer or some messages; a writer grows where there is more. */
const FIRST_BYTES = 2048;
/**
 * So many writers are kept for the next, and of those none that grew large: a turn of fan-out corks some
 * thousands of sockets.
 */
const MOST_FREE = 2048;
const MOST_FREE_BYTES = 4096;
const free: ByteWriter[] = [];

/** Corked until the end of the turn. */
let late: Outlet[] = [];

function uncorkLate(): void {
  const all = late;
  late = [];
  for (const one of all) one.uncorkLate();
}

export abstract class Outlet extends Waiting {
  readonly socket: TcpSocket;
  /** Of a socket whose bytes go out as they are; -1: by way of the runtime alone (TLS). */
  readonly descriptor: number;
  /** Not taken by the kernel yet; null: all is. */
  #unsent: Buffer | null = null;
  #out: ByteWriter | null = null;
  /** Of marks.ts. */
  protected marks = 0;

  constructor(socket: TcpSocket, descriptor: number) {
    super();
    this.socket = socket;
    this.descriptor = descriptor;
  }

  /** Everything that was written has been taken by the kernel: called once after a write that gave false. */
  protected abstract roomy(): void;
  /** The first bytes are waiting, or some of them were taken: its time for that begins anew. */
  protected abstract moved(): void;

  /** As soon as it has nothing more to say; it is told so when its worker leaves. */
  abstract retire(): void;
  /** At once, by a reset: the kernel forgets what it has for it. */
  abstract cutOff(): void;

  abstract closed(): void;

  /** Our end; `closed` follows. `end` is a system call more, and TLS has a last word to say. */
  protected hangUp(): void {
    if (this.descriptor < 0) this.socket.end();
    else this.socket.close();
  }

  /** At once, and in order: the kernel goes on with what it has for it. */
  drop(): void {
    if (this.isClosed) return;
    if (this.is(AIMED)) volleys.fire();
    this.socket.close();
    this.closed();
  }

  protected is(mark: number): boolean {
    return (this.marks & mark) !== 0;
  }
  protected mark(mark: number, isIt = true): void {
    this.marks = isIt ? this.marks | mark : this.marks & ~mark;
  }

  /** Nothing can be written any more. */
  get isClosed(): boolean {
    return this.is(CLOSED);
  }
  get unsentBytes(): number {
    return this.#unsent?.length ?? 0;
  }
  /** It has not taken all of what was written. */
  get isStalled(): boolean {
    if (this.is(AIMED)) volleys.fire();
    return this.#unsent !== null;
  }

  /** Until `uncork`, in the same turn. */
  cork(): void {
    if (this.#out !== null) return;
    const out = free.pop() ?? new ByteWriter(FIRST_BYTES);
    out.reset();
    this.#out = out;
  }

  /** Until the end of the turn: for one that several channels may have something for. */
  corkLate(): void {
    if (this.#out !== null) return;
    this.cork();
    this.mark(LATE);
    late.push(this);
    if (late.length === 1) queueMicrotask(uncorkLate);
  }

  /** If it was corked so. */
  uncorkLate(): void {
    if (this.is(LATE)) this.uncork();
  }

  uncork(): void {
    const out = this.#out;
    if (out === null) return;
    this.#out = null;
    this.mark(LATE, false);
    if (out.length > 0) this.push(out.bytes, 0, out.length);
    if (free.length < MOST_FREE && out.bytes.length <= MOST_FREE_BYTES) free.push(out);
  }

  /** The socket is another's from now on, with what is corked and unsent. */
  protected handOver(other: Outlet): void {
    other.#out = this.#out;
    other.#unsent = this.#unsent;
    this.#out = null;
    this.#unsent = null;
    this.leave();
  }

  /** Reads what the next write will. */
  readAhead(): number {
    return this.marks + this.descriptor + (this.#out === null && this.#unsent === null ? 0 : 1);
  }

  get isCorked(): boolean {
    return this.#out !== null;
  }

  /** The writer to compose in while corked. */
  protected get out(): ByteWriter {
    if (this.#out === null) throw new Error("not corked");
    return this.#out;
  }

  /** The bytes may be used again after the call. False: the kernel has not taken all of them. */
  push(
    bytes: Uint8Array,
    offset = 0,
    length = bytes.length - offset,
    shared: SharedPiece | null = null,
  ): boolean {
    if (this.isClosed || length === 0) return true;
    if (this.is(AIMED)) volleys.fire();
    if (this.#out !== null) return this.#pushCorked(this.#out, bytes, offset, length, shared);
    if (this.#unsent !== null) {
      this.#unsent = lastingSum(this.#unsent, bytes.subarray(offset, offset + length));
      return false;
    }
    if (volley.isOpen && this.descriptor >= 0 && volleys.take(this, bytes, offset, length, shared))
      return this.#unsent === null;
    const taken = this.#give(bytes, offset, length);
    // Negative: it is gone; `closed` follows, or was here.
    if (taken < 0 || taken === length) return true;
    this.#keep(bytes, offset, length, taken, shared);
    this.moved();
    return false;
  }

  #keep(bytes: Uint8Array, offset: number, length: number, taken: number, shared: SharedPiece | null): void {
    this.#unsent =
      shared?.rest(bytes, offset, length, taken) ?? lastingPart(bytes, offset + taken, offset + length);
  }

  /** What it was given last leaves with what others are given. */
  aim(): void {
    this.mark(AIMED);
  }

  /** Told by volleys.ts what the kernel took, or why it did not. False: `sendRest` follows. */
  settle(
    taken: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    shared: SharedPiece | null,
  ): boolean {
    this.mark(AIMED, false);
    if (taken === length || this.isClosed) return true;
    this.#keep(bytes, offset, length, Math.max(0, taken), shared);
    return false;
  }

  /**
   * What was not taken is left to the runtime, which waits for room or finds that the client is gone. True:
   * not all of it is taken now.
   */
  sendRest(): boolean {
    if (this.#unsent === null || this.isClosed) return false;
    this.moved();
    this.drained();
    if (!this.isStalled || this.isClosed) return false;
    this.filled();
    return true;
  }

  /** What a write said to have been taken was not. */
  protected filled(): void {
    // for those whom nobody asks afterwards
  }

  /** How many bytes were taken; negative: it is gone. */
  #give(bytes: Uint8Array, offset: number, length: number): number {
    if (this.descriptor < 0 || offset > 0) return this.socket.write(bytes, offset, length);
    const taken = Math.max(0, kernelSend(this.descriptor, bytes, length));
    if (taken === length) return taken;
    // Only by its own write does the runtime know that `drain` is waited for, or that the client is gone.
    const more = this.socket.write(bytes, taken, length - taken);
    return more < 0 ? more : taken + more;
  }

  #pushCorked(
    out: ByteWriter,
    bytes: Uint8Array,
    offset: number,
    length: number,
    shared: SharedPiece | null,
  ): boolean {
    const isLarge = length >= CORKED_BYTES;
    if (!isLarge) {
      out.pushRange(bytes, offset, length);
      if (out.length < CORKED_BYTES) return true;
    }
    // It stays corked as it was, or nothing would uncork it at the end of the turn.
    const isLate = this.is(LATE);
    this.uncork();
    // Not by way of the writer: what is large is not copied, and what is shared stays one piece.
    if (isLarge) this.push(bytes, offset, length, shared);
    this.cork();
    this.mark(LATE, isLate);
    return !this.isStalled;
  }

  drained(): void {
    const unsent = this.#unsent;
    if (unsent === null || this.isClosed) return;
    const taken = this.socket.write(unsent);
    if (taken <= 0 || this.isClosed) return;
    if (taken < unsent.length) {
      this.#unsent = unsent.subarray(taken);
      this.moved();
      return;
    }
    this.#unsent = letGo(this.#unsent);
    this.roomy();
  }

  /** The socket is gone. */
  protected leave(): void {
    this.mark(CLOSED);
    this.#unsent = letGo(this.#unsent);
    this.list?.drop(this);
  }
}
