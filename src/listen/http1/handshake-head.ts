/**
 * What a head says of a WebSocket handshake (RFC 6455 4.2.1), read where it lies: a crowd that comes is seven
 * texts a client cheaper. The same of a Request is http/handshake.ts; wire-request.ts asks.
 */
import type { Handshake } from "../../http/incoming.ts";
import { isText } from "./octets.ts";
import type { RequestHead } from "./request-head.ts";

/** 16 bytes in base64: so many characters of it, and the padding. */
const KEY_CHARACTERS = 22;
export const KEY_BYTES = 24;
const PADDING = 0x3d;
const SPOKEN_VERSION = "13";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const isBase64 = new Uint8Array(256);
for (let i = 0; i < BASE64.length; i++) isBase64[BASE64.charCodeAt(i)] = 1;

/** Where the key lies; -1: none that is one, or several. */
export function keyStart(head: RequestHead, bytes: Uint8Array): number {
  const field = only(head, bytes, "sec-websocket-key");
  if (field < 0) return -1;
  const start = head.valueStart(field);
  if (head.valueEnd(field) - start !== KEY_BYTES) return -1;
  for (let i = 0; i < KEY_CHARACTERS; i++) if (isBase64[bytes[start + i]!] === 0) return -1;
  return bytes[start + KEY_CHARACTERS] === PADDING && bytes[start + KEY_BYTES - 1] === PADDING ? start : -1;
}

export function handshakeOf(head: RequestHead, bytes: Uint8Array): Handshake {
  // HTTP/1.0 knows no upgrade (RFC 9110 7.8).
  if (!head.hasConnectionUpgrade || head.minor === 0 || head.find(bytes, "upgrade") < 0) return "none";
  // A body would stand where frames are expected.
  if (head.isChunked || head.contentLength > 0) return "none";
  if (head.find(bytes, "sec-websocket-version") < 0 || keyStart(head, bytes) < 0) return "none";
  const version = only(head, bytes, "sec-websocket-version");
  const isSpoken =
    version >= 0 && isText(bytes, head.valueStart(version), head.valueEnd(version), SPOKEN_VERSION);
  return head.upgradesToWebSocket && isSpoken ? "good" : "other";
}

/** The field of that name, if there is one and no other. */
function only(head: RequestHead, bytes: Uint8Array, name: string): number {
  const field = head.find(bytes, name);
  return field < 0 || head.find(bytes, name, field + 1) >= 0 ? -1 : field;
}
