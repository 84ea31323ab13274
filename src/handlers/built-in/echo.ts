/**
 * `handler = "sluice:echo"`: what a WebSocket client sends comes back, and silence is met with pings. The
 * example "WebSocket echo".
 */
import type { WebSocketHandler } from "sluice";

export const websocket: WebSocketHandler = {
  idleTimeout: 5,
  maxPayload: 65_535,
  message(socket, data) {
    socket.send(data);
  },
};
