/**
 * What stands behind a WebSocket uses this of it: Bun's own socket, or one of ours
 * (listen/wire/wire-socket.ts). A leaf: fan-out, subscribers and handlers name it.
 */
export interface PeerSocket {
  readonly readyState: number;
  /** Bytes of the frame; -1: not all of it has left; 0: none of it, the socket is closed or was too slow. */
  send(payload: string | Uint8Array): number;
  ping(payload?: string | Uint8Array): unknown;
  close(code?: number, reason?: string): void;
  terminate(): void;
  getBufferedAmount(): number;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  /** One of ours, which fan-out writes to itself; Bun's stand in topics. */
  readonly direct?: DirectSocket;
}

/** Made anew for other bytes. What a socket keeps with it is its own affair. */
export class FrameBatch {
  kept: unknown = null;
}

export interface DirectSocket {
  /** It has not taken all of what was written last. */
  readonly isStalled: boolean;
  /** Frames may be compressed: its client has agreed to it. */
  readonly takesDeflated: boolean;
  readonly isCorked: boolean;
  /**
   * Whole frames, the first `length` bytes; as `send`. They may be overwritten after the call. `batch`: the
   * same object for all who are given the same bytes; those who are slow share what is left of them. null:
   * nobody else is given them.
   */
  sendFrames(bytes: Uint8Array, length: number, batch: FrameBatch | null): number;
  /** Reads what the next `sendFrames` will, and does nothing (fanout/carrier.ts). */
  readAhead(): number;
  /** What is sent until `uncork` leaves in one piece. Who corks it sees to that, in this turn or soon. */
  cork(): void;
  uncork(): void;
}
