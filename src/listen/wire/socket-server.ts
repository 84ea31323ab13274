/**
 * What the WebSockets of a wire listener share (wire-socket.ts): where they wait, what reads their frames,
 * what each may cost. Made by wire-listener.ts.
 */
import type { FrameDecoder } from "../../wire/frame-decoder.ts";
import type { DueList } from "./due-list.ts";
import type { Ear } from "./ear.ts";
import type { Newcomers } from "./newcomers.ts";
import type { UnreadFrames } from "./unread-frames.ts";
import type { WireSocket } from "./wire-socket.ts";

export interface SocketServer {
  readonly decoder: FrameDecoder;
  /** Told by the decoder, for the socket whose bytes it reads. */
  readonly ear: Ear;
  /** A socket with more than this unsent is cut off. */
  readonly maxUnsentBytes: number;
  /**
   * Heard of not long ago; then asked with a ping; then given up. Without a limit: those who may be silent.
   */
  readonly heard: DueList;
  readonly asked: DueList;
  readonly quiet: DueList;
  readonly stuck: DueList;
  readonly closing: DueList;
  readonly lists: readonly DueList[];
  /** Pings that could not be answered at once, by socket: the last counts (RFC 6455 5.5.3). */
  readonly owedPongs: Map<WireSocket, Buffer>;
  /** Of those who wait for a later turn, in `newcomers`. */
  readonly unread: Map<WireSocket, UnreadFrames>;
  readonly newcomers: Newcomers;
  readonly resetsTimedOut: boolean;
  left(): void;
}
