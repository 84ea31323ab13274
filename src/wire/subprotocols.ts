/** What a WebSocket client asks for in Sec-WebSocket-Protocol to get frames (docs/protocol.md). */
export const JSON_SUBPROTOCOL = "sluice.json.v1";
export const MSGPACK_SUBPROTOCOL = "sluice.msgpack.v1";
