/**
 * What a WebSocket client has sent that a turn of the event loop had no time for. Kept in socket-server.ts by
 * wire-socket.ts, which does not read from the socket until it is through with it.
 */
import { HeldInput } from "./held-input.ts";

export class UnreadFrames extends HeldInput {
  /** What the compressed messages of the piece may still grow to (ear.ts). */
  readonly mayInflate: number;

  constructor(rest: Buffer, mayInflate: number) {
    super(rest, rest.length);
    this.mayInflate = mayInflate;
  }
}
