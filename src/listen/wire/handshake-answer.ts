/**
 * The answer to a WebSocket handshake (RFC 6455 4.2.2), which has no Date and no Server (push-stream spec
 * 0.5). Called by connection.ts.
 */
import type { ByteWriter } from "../../wire/byte-writer.ts";
import { KEY_BYTES } from "../http1/handshake-head.ts";
import type { WireRequest } from "./wire-request.ts";

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\n";
const ACCEPT = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
const HEAD_END = Buffer.from("\r\n\r\n");
const SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A key goes before the suffix. */
const keyAndSuffix = Buffer.from(" ".repeat(KEY_BYTES) + SUFFIX);

type Fields = Readonly<Record<string, string>>;

/** What the last one said, up to its key's answer: nearly all are given the same object. */
let lastFields: Fields = {};
let lastBytes = beginningOf(lastFields);

/** Those with an empty value are left out. */
function beginningOf(fields: Fields): Buffer {
  let text = SWITCHING;
  for (const name in fields) if (fields[name] !== "") text += `${name}: ${fields[name]}\r\n`;
  return Buffer.from(text + ACCEPT, "latin1");
}

/** `fields` are not to change. False, and nothing is written: it is no handshake. */
export function pushSwitching(out: ByteWriter, request: WireRequest, fields: Fields): boolean {
  if (request.method !== "GET" || request.handshake !== "good") return false;
  request.copyKey(keyAndSuffix);
  if (fields !== lastFields) {
    lastBytes = beginningOf(fields);
    lastFields = fields;
  }
  out.pushBytes(lastBytes);
  // Bun's shortest way: of bytes it is 0.19 us, of a text 0.24.
  out.pushLatin1(Bun.SHA1.hash(keyAndSuffix, "base64"));
  out.pushBytes(HEAD_END);
  return true;
}
