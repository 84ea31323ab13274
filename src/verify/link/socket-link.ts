/**
 * RFC 6455 as a client, over a Link: masked frames out, whole messages in. Used by the WebSocket lanes
 * (lanes.ts).
 */
import { createHash, randomBytes } from "node:crypto";
import { readHead } from "./http-link.ts";
import { type Link, LinkEnd } from "./link.ts";

export interface Refused {
  readonly status: number;
}

export type Frame =
  | { readonly kind: "text" | "binary"; readonly bytes: Buffer }
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

const Opcode = { TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;
const MAX_MESSAGE = 64 * 2 ** 20;

/** The handshake; null: the link is a WebSocket now. */
export async function shakeHands(
  link: Link,
  host: string,
  path: string,
  protocol: string | null,
  more: Readonly<Record<string, string>> = {},
): Promise<Refused | null> {
  const key = randomBytes(16).toString("base64");
  const added = Object.entries(more).map(([name, value]) => `${name}: ${value}\r\n`);
  const offered = protocol === null ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  link.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: ` +
      `websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: ${key}\r\n${offered}${added.join("")}\r\n`,
  );
  const { status, fields } = await readHead(link);
  if (status !== 101) return { status };
  const expected = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  if (fields.get("sec-websocket-accept") !== expected) throw new LinkEnd("the handshake's answer is wrong");
  if (protocol !== null && fields.get("sec-websocket-protocol") !== protocol)
    throw new LinkEnd(`the server does not speak ${protocol}`);
  return null;
}

/**
 * The next message or close frame; answers pings on the way. Fragments are never sent by sluice
 * (docs/protocol.md).
 */
export async function readFrame(link: Link): Promise<Frame> {
  for (;;) {
    const [first = 0, second = 0] = await link.take(2);
    if (first < 0x80 || (first & 0x70) !== 0 || second >= 0x80) throw new LinkEnd("a frame that may not be");
    const bytes = await link.take(await lengthOf(link, second));
    const opcode = first & 0x0f;
    if (opcode === Opcode.PING) sendFrame(link, Opcode.PONG, bytes);
    else if (opcode === Opcode.TEXT) return { kind: "text", bytes };
    else if (opcode === Opcode.BINARY) return { kind: "binary", bytes };
    else if (opcode === Opcode.CLOSE)
      return {
        kind: "close",
        code: bytes.length < 2 ? 1005 : bytes.readUInt16BE(0),
        reason: bytes.toString("utf8", 2),
      };
    else if (opcode !== Opcode.PONG) throw new LinkEnd(`a frame with opcode ${opcode}`);
  }
}

async function lengthOf(link: Link, second: number): Promise<number> {
  if (second < 126) return second;
  if (second === 126) return (await link.take(2)).readUInt16BE(0);
  const length = Number((await link.take(8)).readBigUInt64BE(0));
  if (length > MAX_MESSAGE) throw new LinkEnd(`a message of ${length} bytes`);
  return length;
}

/**
 * Masked, as a client has to (RFC 6455 5.1). Payloads of at most 125 bytes: control frames and short texts.
 */
export function sendFrame(link: Link, opcode: number, payload: Uint8Array): void {
  const mask = randomBytes(4);
  const frame = Buffer.alloc(6 + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | payload.length;
  mask.copy(frame, 2);
  for (let at = 0; at < payload.length; at++) frame[6 + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  link.write(frame);
}

export function sendClose(link: Link, code: number): void {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code, 0);
  sendFrame(link, Opcode.CLOSE, payload);
}
