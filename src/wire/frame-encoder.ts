/**
 * Frames that a server sends on a WebSocket (RFC 6455 5.2): one frame a message, never masked. Used where
 * sockets are written to without Bun's own server; what goes to many of them is framed once.
 */
import { CloseCode } from "../http/close-codes.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { CLOSE, FINAL, IN_EIGHT_BYTES, IN_TWO_BYTES, MAX_IN_TWO, SHORT } from "./frame-layout.ts";

/** A control frame holds 125 bytes (RFC 6455 5.5), a close frame two less beside its code (5.5.1). */
const MAX_REASON_BYTES = SHORT - 2;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** How many bytes stand before a payload of that length. */
export function headBytes(payloadBytes: number): number {
  if (payloadBytes <= SHORT) return 2;
  return payloadBytes <= MAX_IN_TWO ? 4 : 10;
}

/** Writes headBytes(payloadBytes) bytes to `at`, for a payload that stands behind them. */
export function writeFrameHead(bytes: Uint8Array, at: number, opcode: number, payloadBytes: number): void {
  bytes[at] = FINAL | opcode;
  if (payloadBytes <= SHORT) {
    bytes[at + 1] = payloadBytes;
    return;
  }
  const lengthBytes = payloadBytes <= MAX_IN_TWO ? 2 : 8;
  bytes[at + 1] = lengthBytes === 2 ? IN_TWO_BYTES : IN_EIGHT_BYTES;
  let rest = payloadBytes;
  for (let i = at + 1 + lengthBytes; i > at + 1; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** The payload has to follow. */
export function pushFrameHead(writer: ByteWriter, opcode: number, payloadBytes: number): void {
  const length = headBytes(payloadBytes);
  writer.reserve(length);
  writeFrameHead(writer.bytes, writer.length, opcode, payloadBytes);
  writer.length += length;
}

/** A whole frame as bytes of its own. */
export function frameOf(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const at = headBytes(payload.length);
  const frame = new Uint8Array(at + payload.length);
  writeFrameHead(frame, 0, opcode, payload.length);
  frame.set(payload, at);
  return frame;
}

/**
 * The frame that ends a connection; NO_STATUS: without a code (push-stream spec 4.13.4). A reason that is too
 * long is cut.
 */
export function closeFrame(code: number, reason = ""): Uint8Array<ArrayBuffer> {
  if (code === CloseCode.NO_STATUS) return frameOf(CLOSE, NOTHING);
  const text = new Uint8Array(MAX_REASON_BYTES);
  // Characters that do not fit whole are left out.
  const { written } = encoder.encodeInto(reason, text);
  const payload = new Uint8Array(2 + written);
  payload[0] = code >>> 8;
  payload[1] = code & 0xff;
  payload.set(text.subarray(0, written), 2);
  return frameOf(CLOSE, payload);
}
