// Header fields by which a load generator asks for a transport. Any key will do: nobody looks at the accept
// field of the answer.

export const WEBSOCKET_FIELDS =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

export const TRANSPORT_FIELDS: Readonly<Record<string, string>> = {
  sse: "Accept: text/event-stream\r\n",
  ws: WEBSOCKET_FIELDS,
};
