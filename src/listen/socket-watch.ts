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
    const { data } = socket;
    data.heardMs = performance.now();
    data.watchedAt = this.#sockets.length;
    this.#sockets.push(socket);
  }

  /** By the peer: Bun may show one socket by several objects. */
  closed({ data }: NativeSocket): void {
    const place = data.watchedAt;
    if (place < 0) return;
    data.watchedAt = -1;
    const last = this.#sockets.pop();
    if (last === undefined || last.data === data) return;
    this.#sockets[place] = last;
    last.data.watchedAt = place;
  }

  heard({ data }: NativeSocket): void {
    data.heardMs = this.#nowMs;
  }

  drained({ data }: NativeSocket): void {
    data.fullMs = 0;
  }

  look(nowMs: number): void {
    const beforeMs = this.#nowMs;
    this.#nowMs = nowMs;
    // From behind: who is cut off leaves, and one that was looked at takes its place.
    for (let at = this.#sockets.length - 1; at >= 0; at--) {
      const socket = this.#sockets[at];
      if (socket === undefined) continue;
      const { data } = socket;
      if (this.#isFull(socket, nowMs)) {
        data.stuck();
        socket.terminate();
      } else if (this.#silenceMs > 0 && !data.mayBeSilent) this.#listen(socket, beforeMs, nowMs);
    }
  }

  /** Pinged by the one look that is the first after half of its time. */
  #listen(socket: NativeSocket, beforeMs: number, nowMs: number): void {
    const { heardMs } = socket.data;
    const halfMs = heardMs + this.#silenceMs / 2;
    if (nowMs - heardMs >= this.#silenceMs) socket.terminate();
    else if (beforeMs < halfMs && halfMs <= nowMs) socket.ping();
  }

  #isFull(socket: NativeSocket, nowMs: number): boolean {
    const { data } = socket;
    if (socket.getBufferedAmount() === 0) data.fullMs = 0;
    else if (data.fullMs === 0) data.fullMs = nowMs;
    return data.fullMs > 0 && nowMs - data.fullMs >= this.#sendMs;
  }
}
