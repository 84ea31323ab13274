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
import { MessageTurns } from "./message-turns.ts";
import type { SocketWatch } from "./socket-watch.ts";

export interface SaidReader {
  /** It reads texts as bytes. */
  readonly readsBytes: boolean;
  /** A text of so many bytes, good until `pieceRead`. False: it is to come as `message`. */
  takesText(bytes: Buffer, length: number): boolean;
  /** All that came in one piece has been told. */
  pieceRead(): void;
}

/** What stands behind a native socket of the worker: a subscriber, or a handler's. */
export interface NativePeer extends SocketLife {
  /** Its silence is watched elsewhere. */
  readonly mayBeSilent: boolean;
  opened(socket: PeerSocket): void;
  message(data: string | Buffer): void;
  /** Reads what its client says, where that may be more than noise. */
  readonly reader?: SaidReader | null;
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

/** Longer ones are not made bytes of again. */
const MOST_TEXT = 16 * 1024;
const textBytes = Buffer.allocUnsafeSlow(3 * MOST_TEXT);

function isTaken(reader: NativePeer["reader"], text: string): boolean {
  if (!reader?.readsBytes || text.length > MOST_TEXT) return false;
  return reader.takesText(textBytes, textBytes.write(text));
}

export function socketHandlers(
  { maxFrameBytes, maxUnsentBytes }: SocketBounds,
  watch: SocketWatch,
): Bun.WebSocketHandler<NativePeer> {
  const turns = new MessageTurns(({ data: peer }, said) => {
    if (typeof said !== "string" || !isTaken(peer.reader, said)) peer.message(said);
    peer.reader?.pieceRead();
  });
  return {
    open: (ws) => {
      watch.opened(ws);
      ws.data.opened(ws);
    },
    message: (ws, data) => {
      watch.heard(ws);
      turns.heard(ws, data);
    },
    drain: (ws) => {
      watch.drained(ws);
      ws.data.drained();
    },
    close: (ws, code, reason) => {
      watch.closed(ws);
      turns.closed(ws, () => ws.data.closed(code, reason));
    },
    // Bun answers pings itself.
    ping: (ws) => {
      watch.heard(ws);
      ws.data.heard();
      turns.heard(ws, null);
    },
    pong: (ws) => {
      watch.heard(ws);
      ws.data.heard();
      turns.heard(ws, null);
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
