/**
 * What Bun is told of WebSockets, once a server: the handlers that every socket shares, and the bounds of
 * what one may cost. Used by listener.ts; what stands behind a socket is subscribe/socket-peer.ts or
 * handlers/web-socket.ts.
 *
 * In user space a socket costs at most: what it has unsent (`maxUnsentBytes` and the one piece that went over
 * it), the message it has not finished (`maxFrameBytes`). Neither for longer than socket-watch.ts allows.
 */
import type { PeerSocket } from "../http/peer-socket.ts";
import type { SocketLife } from "../http/socket-life.ts";
import type { SocketWatch } from "./socket-watch.ts";

/** What stands behind a native socket of the worker: a subscriber, or a handler's. */
export interface NativePeer extends SocketLife {
  /** Its silence is watched elsewhere. */
  readonly mayBeSilent: boolean;
  opened(socket: PeerSocket): void;
  message(data: string | Buffer): void;
  /** A text that is bytes still, and good for this call alone. Absent or false: it wants it as `message`. */
  takesText?(bytes: Buffer): boolean;
  drained(): void;
  closed(code: number, reason: string): void;
  /** A ping or pong came. */
  heard(): void;
  /** It has taken nothing of what it is sent for so long that it is closed now. */
  stuck(): void;
}

export type NativeSocket = Bun.ServerWebSocket<NativePeer>;

/** Bun wants 32-bit numbers. */
const MAX_BYTES = 0x7fffffff;

export interface SocketBounds {
  /** Largest message a client may send. */
  readonly maxFrameBytes: number;
  /** A socket with more than this unsent is closed instead of sent to. */
  readonly maxUnsentBytes: number;
}

export function socketHandlers(
  { maxFrameBytes, maxUnsentBytes }: SocketBounds,
  watch: SocketWatch,
): Bun.WebSocketHandler<NativePeer> {
  return {
    open: (ws) => {
      watch.opened(ws);
      ws.data.opened(ws);
    },
    message: (ws, data) => {
      watch.heard(ws);
      ws.data.message(data);
    },
    drain: (ws) => {
      watch.drained(ws);
      ws.data.drained();
    },
    close: (ws, code, reason) => {
      watch.closed(ws);
      ws.data.closed(code, reason);
    },
    // Bun answers pings itself.
    ping: (ws) => {
      watch.heard(ws);
      ws.data.heard();
    },
    pong: (ws) => {
      watch.heard(ws);
      ws.data.heard();
    },
    maxPayloadLength: Math.min(maxFrameBytes, MAX_BYTES),
    // Who cannot follow is closed, never skipped (promise P2). Bun compares what was unsent before a send: a
    // message of any size goes to a socket that takes what it is sent. Subscribers read on from the store
    // long before (fanout/slow-sockets.ts).
    closeOnBackpressureLimit: true,
    backpressureLimit: Math.min(maxUnsentBytes, MAX_BYTES),
    // socket-watch.ts looks at what Bun does not: whole messages and pongs, and whether anything is taken.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
  };
}
