/**
 * The answer to a WebSocket handshake (RFC 6455 4.2.2), which has no Date and no Server (push-stream spec
 * 0.5). Called by connection.ts.
 */
import { acceptKey, socketOffer } from "../../http/handshake.ts";
import type { ByteWriter } from "../../wire/byte-writer.ts";
import type { WireRequest } from "./wire-request.ts";

const SWITCHING = Buffer.from("HTTP/1.1 101 Switching Protocols\r\n");
const ACCEPT = Buffer.from("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
const HEAD_END = Buffer.from("\r\n\r\n");

/** `headers` with an empty value are left out. False, and nothing is written: it is no handshake. */
export function pushSwitching(
  out: ByteWriter,
  request: WireRequest,
  headers: Readonly<Record<string, string>>,
): boolean {
  if (request.method !== "GET" || socketOffer((name) => request.field(name)) !== "good") return false;
  out.pushBytes(SWITCHING);
  for (const name in headers) {
    const value = headers[name] ?? "";
    if (value !== "") out.pushLatin1(`${name}: ${value}\r\n`);
  }
  out.pushBytes(ACCEPT);
  out.pushLatin1(acceptKey(request.field("sec-websocket-key") ?? ""));
  out.pushBytes(HEAD_END);
  return true;
}
