/**
 * Deadlines of the WebSockets of one server: for a client that takes nothing of what it is sent (messages, or pongs it asked for), and
 * for one of which no whole frame comes. Called by socket-handlers.ts at whatever happens on a socket, and once a second by the listener.
 *
 * An unfinished message is kept by Bun, which tells nothing of it; but a client in the middle of a frame cannot answer a ping, however it
 * trickles. So silence is what is watched: half its time is spent in patience, then a ping is sent, and who does not answer it in the
 * other half is cut off. One walk over all sockets instead of a timer each: they are ten thousand, and mostly idle.
 */
import type { NativePeer, NativeSocket } from "./socket-handlers.ts";

interface Life {
  /** When a whole frame came last. */
  heardMs: number;
  /** Since when it has something unsent and takes nothing of it; 0: it has not, or does. */
  fullMs: number;
  pinged: boolean;
}

export class SocketWatch {
  /** By the object behind it: Bun may show one socket by several. */
  readonly #lives = new Map<NativePeer, Life & { readonly socket: NativeSocket }>();
  /** 0 = a client may be silent for ever. */
  readonly #silenceMs: number;
  /** How long it may take nothing of what it is sent. */
  readonly #sendMs: number;
  /** The time of the last look is near enough, and asking for another at each frame would cost as much as the frame. */
  #nowMs = performance.now();

  constructor(silenceMs: number, sendMs: number) {
    this.#silenceMs = silenceMs;
    this.#sendMs = sendMs;
  }

  opened(socket: NativeSocket): void {
    this.#lives.set(socket.data, { socket, heardMs: performance.now(), fullMs: 0, pinged: false });
  }

  closed({ data }: NativeSocket): void {
    this.#lives.delete(data);
  }

  heard({ data }: NativeSocket): void {
    const life = this.#lives.get(data);
    if (life === undefined) return;
    life.heardMs = this.#nowMs;
    life.pinged = false;
  }

  drained({ data }: NativeSocket): void {
    const life = this.#lives.get(data);
    if (life !== undefined) life.fullMs = 0;
  }

  look(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const [peer, life] of this.#lives) {
      if (this.#isFull(life, nowMs)) {
        peer.stuck();
        life.socket.terminate();
      } else if (this.#silenceMs > 0 && !peer.mayBeSilent) this.#listen(life, nowMs);
    }
  }

  #isFull(life: Life & { readonly socket: NativeSocket }, nowMs: number): boolean {
    if (life.socket.getBufferedAmount() === 0) life.fullMs = 0;
    else if (life.fullMs === 0) life.fullMs = nowMs;
    return life.fullMs > 0 && nowMs - life.fullMs >= this.#sendMs;
  }

  #listen(life: Life & { readonly socket: NativeSocket }, nowMs: number): void {
    const silentMs = nowMs - life.heardMs;
    if (silentMs >= this.#silenceMs) life.socket.terminate();
    else if (silentMs >= this.#silenceMs / 2 && !life.pinged) {
      life.pinged = true;
      life.socket.ping();
    }
  }
}
