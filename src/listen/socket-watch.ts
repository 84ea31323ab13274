/**
 * Deadlines of the WebSockets of one server: for a client that takes nothing of what it is sent (messages, or
 * pongs it asked for), and for one of which no whole frame comes. Called by socket-handlers.ts at whatever
 * happens on a socket, and once a second by the listener.
 *
 * An unfinished message is kept by Bun, which tells nothing of it; but a client in the middle of a frame
 * cannot answer a ping, however it trickles. So silence is what is watched: half its time is spent in
 * patience, then a ping is sent, and who does not answer it in the other half is cut off. One walk over all
 * sockets instead of a timer each: they are ten thousand, and mostly idle.
 */
import { Watched } from "../http/socket-life.ts";
import type { NativeSocket } from "./socket-handlers.ts";

export class SocketWatch {
  /** In no order: the last one takes the place of one that left. */
  readonly #sockets: NativeSocket[] = [];
  /** 0 = a client may be silent for ever. */
  readonly #silenceMs: number;
  /** How long it may take nothing of what it is sent. */
  readonly #sendMs: number;
  /**
   * The time of the last look is near enough, and asking for another at each frame would cost as much as the
   * frame.
   */
  #nowMs = performance.now();

  constructor(silenceMs: number, sendMs: number) {
    this.#silenceMs = silenceMs;
    this.#sendMs = sendMs;
  }

  opened(socket: NativeSocket): void {
    socket.data.watched = new Watched(this.#sockets.length, performance.now());
    this.#sockets.push(socket);
  }

  /** By the peer: Bun may show one socket by several objects. */
  closed({ data }: NativeSocket): void {
    const { watched } = data;
    if (watched === null) return;
    data.watched = null;
    const last = this.#sockets.pop();
    if (last === undefined || last.data === data) return;
    this.#sockets[watched.at] = last;
    if (last.data.watched !== null) last.data.watched.at = watched.at;
  }

  heard({ data }: NativeSocket): void {
    if (data.watched !== null) data.watched.heardMs = this.#nowMs;
  }

  drained({ data }: NativeSocket): void {
    if (data.watched !== null) data.watched.fullMs = 0;
  }

  look(nowMs: number): void {
    const beforeMs = this.#nowMs;
    this.#nowMs = nowMs;
    // From behind: who is cut off leaves, and one that was looked at takes its place.
    for (let at = this.#sockets.length - 1; at >= 0; at--) {
      const socket = this.#sockets[at];
      const watched = socket?.data.watched ?? null;
      if (socket === undefined || watched === null) continue;
      if (this.#isFull(socket, watched, nowMs)) {
        socket.data.stuck();
        socket.terminate();
      } else if (this.#silenceMs > 0 && !socket.data.mayBeSilent)
        this.#listen(socket, watched, beforeMs, nowMs);
    }
  }

  /** Pinged by the one look that is the first after half of its time. */
  #listen(socket: NativeSocket, { heardMs }: Watched, beforeMs: number, nowMs: number): void {
    const halfMs = heardMs + this.#silenceMs / 2;
    if (nowMs - heardMs >= this.#silenceMs) socket.terminate();
    else if (beforeMs < halfMs && halfMs <= nowMs) socket.ping();
  }

  #isFull(socket: NativeSocket, watched: Watched, nowMs: number): boolean {
    if (socket.getBufferedAmount() === 0) watched.fullMs = 0;
    else if (watched.fullMs === 0) watched.fullMs = nowMs;
    return watched.fullMs > 0 && nowMs - watched.fullMs >= this.#sendMs;
  }
}
