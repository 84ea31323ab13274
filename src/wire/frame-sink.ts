/** Who is told what a WebSocket client said (frame-decoder.ts): the connection. */
export interface FrameSink {
  /** Compressed messages were agreed on. */
  readonly takesCompressed: boolean;
  /** Asked now and then between two frames: others have waited long enough for this turn to end. */
  hasEnough(): boolean;
  /**
   * A whole message; a text is well-formed UTF-8. The bytes are a view of what came or of the message's own
   * buffer: nobody writes them again, but whoever keeps them keeps all of that buffer, and copies them if
   * that matters.
   */
  text(bytes: Buffer): void;
  binary(bytes: Buffer): void;
  /** A whole message of the opcode TEXT or BINARY as it came; nobody has looked at what is in it. */
  compressed(opcode: number, bytes: Buffer): void;
  ping(payload: Buffer): void;
  pong(payload: Buffer): void;
  /** The client's last frame. CloseCode.NO_STATUS: it had no code. */
  close(code: number, reason: string): void;
  /**
   * What came is against the protocol or too much: the connection is to be failed with this code (RFC 6455
   * 7.1.7).
   */
  fault(code: number, sentence: string): void;
}
