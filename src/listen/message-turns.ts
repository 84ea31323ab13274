/**
 * What WebSocket clients of the native door may take of a turn of the event loop. Bun reads half a megabyte
 * of one socket, which may hold seventy thousand messages, calls for each, and reads on if that was all: a
 * client that sends without end would have a worker to itself for seconds. So from some number on the
 * messages of a turn are timed; those that it has no time for wait here, and their socket is not read from.
 * What waits is at most what Bun had read. Made by socket-handlers.ts. The wire door has wire/newcomers.ts.
 */
import type { NativeSocket } from "./socket-handlers.ts";

type Said = string | Buffer;

/** A turn, or several that have few, in which nobody looks at the clock. */
const FREE = 64;
const MESSAGES_A_LOOK = 8;
const SLICE_MS = 2;

interface Waiting {
  readonly socket: NativeSocket;
  readonly said: Said[];
  /** The next of them. */
  at: number;
  /** Behind them its peer is told of the end. */
  end: (() => void) | null;
}

export class MessageTurns {
  readonly #tell: (socket: NativeSocket, said: Said) => void;
  /** By peer, as Bun may show one socket by several objects; whoever has had its turn goes to the end. */
  readonly #waiting = new Map<NativeSocket["data"], Waiting>();
  #count = 0;
  #sinceMs = 0;
  #isOver = false;
  #isScheduled = false;

  constructor(tell: (socket: NativeSocket, said: Said) => void) {
    this.#tell = tell;
  }

  /** null: a ping or pong, which Bun has dealt with. */
  heard(socket: NativeSocket, said: Said | null): void {
    const before = this.#waiting.size === 0 ? undefined : this.#waiting.get(socket.data);
    if (before === undefined && !this.#isSpent()) {
      if (said !== null) this.#tell(socket, said);
      return;
    }
    const one = before ?? this.#stop(socket);
    if (said !== null) one.said.push(said);
  }

  /** What a client has said before it left counts. */
  closed(socket: NativeSocket, tellEnd: () => void): void {
    const one = this.#waiting.get(socket.data);
    if (one === undefined) tellEnd();
    else one.end = tellEnd;
  }

  #isSpent(): boolean {
    const count = ++this.#count;
    if (count < FREE) return false;
    if (count === FREE) {
      this.#sinceMs = performance.now();
      this.#schedule();
    } else if (count % MESSAGES_A_LOOK === 0) this.#isOver ||= performance.now() - this.#sinceMs > SLICE_MS;
    return this.#isOver;
  }

  #stop(socket: NativeSocket): Waiting {
    const one: Waiting = { socket, said: [], at: 0, end: null };
    this.#waiting.set(socket.data, one);
    socket.pause();
    return one;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#next());
  }

  /** A new turn, for those who wait and those who come. */
  #next(): void {
    this.#isScheduled = false;
    this.#count = 0;
    this.#isOver = false;
    const endMs = performance.now() + SLICE_MS;
    for (const [peer, one] of this.#waiting) {
      this.#goOn(one, endMs);
      this.#waiting.delete(peer);
      if (one.at < one.said.length) this.#waiting.set(peer, one);
      else if (one.end !== null) one.end();
      else one.socket.resume();
      if (performance.now() > endMs) break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }

  #goOn(one: Waiting, endMs: number): void {
    const { socket, said } = one;
    for (let count = 1; one.at < said.length; count++) {
      const next = said[one.at++];
      const isEnding = one.end !== null;
      if (next !== undefined) this.#tell(socket, next);
      // Ended by its peer, over what it has said: what is behind that does not count.
      if (!isEnding && socket.readyState !== WebSocket.OPEN) said.length = one.at;
      if (count % MESSAGES_A_LOOK === 0 && performance.now() > endMs) return;
    }
  }
}
