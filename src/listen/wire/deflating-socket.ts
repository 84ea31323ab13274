/**
 * A WebSocket of which it was agreed on at the handshake that both ends may compress messages (RFC 7692).
 * Made by connection.ts.
 */
import { WireSocket } from "./wire-socket.ts";

export class DeflatingSocket extends WireSocket {
  override get takesDeflated(): boolean {
    return true;
  }
}
