/**
 * Waking a sleeping worker: one byte on its unix socket. Made by each worker at its start; `ring` is what it
 * passes to ringOthers after a publish. A socket because Atomics.wait does not reach across processes and a
 * poll would burn or delay.
 *
 * A bell is a hint, not a message: the awake words in the store decide who is rung, and a ring that is lost
 * (the target is just starting, or dead) is made good by the target looking at the ring head ten times a
 * second. So failures are counted, not raised.
 */
import { chmodSync, rmSync } from "node:fs";
import type { Socket, UnixSocketListener } from "bun";

const RING = new Uint8Array([1]);
/** sun_path holds 108 bytes, the last one a zero. */
const MAX_PATH_BYTES = 107;

export class Doorbell {
  /** Rings that did not go out because the target's socket was not there. */
  failures = 0;
  readonly #storePath: string;
  readonly #slot: number;
  readonly #onRing: () => void;
  readonly #lines = new Map<number, Line>();
  #listener: UnixSocketListener<undefined> | null = null;

  constructor(storePath: string, slot: number, onRing: () => void) {
    this.#storePath = storePath;
    this.#slot = slot;
    this.#onRing = onRing;
  }

  /**
   * Starts hearing. `onRing` is called once for any number of rings that came together. Throws when the path
   * is too long.
   */
  listen(): void {
    const path = bellPath(this.#storePath, this.#slot);
    if (Buffer.byteLength(path) > MAX_PATH_BYTES)
      throw new Error(`the path of a unix socket is too long: ${path}`);
    rmSync(path, { force: true });
    const onRing = this.#onRing;
    this.#listener = Bun.listen<undefined>({ unix: path, socket: { data: () => onRing() } });
    chmodSync(path, 0o600);
  }

  /** Wakes the worker in a slot. Never blocks and never throws. */
  ring(slot: number): void {
    let line = this.#lines.get(slot);
    if (line === undefined) {
      line = new Line(bellPath(this.#storePath, slot), () => {
        this.failures++;
      });
      this.#lines.set(slot, line);
    }
    line.ring();
  }

  close(): void {
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
    if (this.#listener === null) return;
    this.#listener.stop(true);
    this.#listener = null;
    rmSync(bellPath(this.#storePath, this.#slot), { force: true });
  }
}

export const bellPath = (storePath: string, slot: number): string => `${storePath}.bell-${slot}`;

/** A connection to one worker's bell: made at the first ring, made again after the worker was replaced. */
class Line {
  readonly #path: string;
  readonly #onFailure: () => void;
  #socket: Socket<undefined> | null = null;
  #connecting = false;
  #closed = false;

  constructor(path: string, onFailure: () => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  ring(): void {
    // While it is being connected the ring is already on its way.
    if (this.#connecting) return;
    if (this.#socket === null) this.#connect();
    // Nothing fits: the target has thousands of unheard rings, one more would tell it nothing.
    else if (this.#socket.write(RING) < 0) this.#lose();
  }

  close(): void {
    this.#closed = true;
    this.#socket?.end();
    this.#socket = null;
  }

  #connect(): void {
    this.#connecting = true;
    const lose = (): void => this.#lose();
    Bun.connect<undefined>({
      unix: this.#path,
      // Ends at any sign of trouble; the next ring connects anew.
      socket: { data: () => undefined, close: lose, end: lose, error: lose },
    }).then(
      (socket) => this.#connected(socket),
      () => this.#lose(),
    );
  }

  #connected(socket: Socket<undefined>): void {
    this.#connecting = false;
    if (this.#closed) {
      socket.end();
      return;
    }
    this.#socket = socket;
    socket.write(RING);
  }

  #lose(): void {
    if (this.#socket === null && !this.#connecting) return;
    if (this.#connecting) this.#onFailure();
    this.#connecting = false;
    this.#socket = null;
  }
}
