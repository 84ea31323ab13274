// The WebSocket echo of the bench, as one would write it.
import type { WebSocketHandler } from "sluice";

export const websocket: WebSocketHandler = {
  message(socket, data) {
    socket.send(data);
  },
};
